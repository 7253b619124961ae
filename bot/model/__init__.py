"""The fast endpoint: streaming, usage, price, budget. The only home of the openai SDK."""

from bot.deferred import defer

# Types and resources of all that OpenAI serves are two thirds of the SDK's import; we ask for plain posts and read plain bytes.
defer("openai.types", "openai.types.*", "openai.resources", "openai.resources.*", "asyncio")
