"""What people do on a pull in a browser: it tells what GitHub tells, and stands where the API shows it."""

from __future__ import annotations

import base64

import pytest

from bot.diff.model import Side
from bot.sandbox.github import talk

REPO = "/repos/octo/demo"
REACTIONS = (
    "reactionGroups { content viewerHasReacted reactors(first: 5) { totalCount nodes { ... on Actor { login } } } }"
)
NODE = "query($id: ID!) { node(id: $id) { ... on Reactable { %s } } }"


@pytest.fixture
def pulled(desk, numbered):
    pull = desk.pull({"a.py": numbered(60)}, {"a.py": numbered(60, _30="thirty", _31="thirty-one")})
    desk.server.webhooks.point_to("http://127.0.0.1:9/", "s")
    return desk, pull


def told(desk):
    assert desk.server.webhooks.wait()
    return [(each.event, each.action, each.payload["sender"]["login"]) for each in desk.server.webhooks.deliveries]


def reacted(desk, record, fields=REACTIONS, **more):
    return desk.client.graphql(NODE % fields, {"id": record.node_id}, **more)["data"]["node"]


def groups(desk, record, **more):
    found = reacted(desk, record, **more)["reactionGroups"]
    assert len(found) == 8
    return {
        each["content"]: (each["viewerHasReacted"], [node["login"] for node in each["reactors"]["nodes"]])
        for each in found
        if each["reactors"]["totalCount"]
    }


def mutate(desk, name, given, fields="clientMutationId", **more):
    kind = name[0].upper() + name[1:] + "Input"
    query = f"mutation($input: {kind}!) {{ {name}(input: $input) {{ {fields} }} }}"
    return desk.client.graphql(query, {"input": given}, **more)


def test_a_conversation_and_a_thread_are_told_and_shown(pulled) -> None:
    desk, _ = pulled
    said = talk.say(desk.repo, 1, "/spark help", by="carol")
    first = talk.begin_thread(desk.repo, 1, "Why?", by="alice", path="a.py", start_line=30, line=31)
    second = talk.reply(desk.repo, first, "Because", by="bob")
    third = talk.reply(desk.repo, first.thread, "Oh", by="alice")
    summed = talk.review(desk.repo, 1, "/spark review", by="dave")
    assert told(desk) == [
        ("issue_comment", "created", "carol"),
        ("pull_request_review_comment", "created", "alice"),
        ("pull_request_review_comment", "created", "bob"),
        ("pull_request_review_comment", "created", "alice"),
        ("pull_request_review", "submitted", "dave"),
    ]
    payloads = [each.payload for each in desk.server.webhooks.deliveries]
    assert payloads[0]["comment"]["id"] == said.id
    assert payloads[2]["comment"]["in_reply_to_id"] == payloads[3]["comment"]["in_reply_to_id"] == first.id
    assert payloads[4]["review"]["body"] == "/spark review"
    comments = desk.client.get(f"{REPO}/pulls/1/comments").json
    assert [(each["id"], each["start_line"], each["line"]) for each in comments] == [
        (each.id, 30, 31) for each in (first, second, third)
    ]
    assert [each["id"] for each in desk.client.get(f"{REPO}/issues/1/comments").json] == [said.id]
    assert summed.id in [each["id"] for each in desk.client.get(f"{REPO}/pulls/1/reviews").json]


def test_nobody_says_nothing_or_comments_outside_the_diff(pulled) -> None:
    desk, _ = pulled
    with pytest.raises(ValueError, match="nothing to say"):
        talk.say(desk.repo, 1, "  \n", by="carol")
    with pytest.raises(ValueError, match="line must be part of the diff"):
        talk.begin_thread(desk.repo, 1, "x", by="carol", path="a.py", line=3)
    assert told(desk) == []


def test_an_edit_is_told_with_what_stood_before(pulled) -> None:
    desk, _ = pulled
    said = talk.say(desk.repo, 1, "x", by="carol")
    talk.edit(desk.repo, said, "/spark fix all")
    assert told(desk)[1:] == [("issue_comment", "edited", "carol")]
    assert desk.server.webhooks.deliveries[1].payload["changes"] == {"body": {"from": "x"}}
    with pytest.raises(ValueError, match="may not edit"):
        talk.edit(desk.repo, said, "y", by="dave")
    talk.edit(desk.repo, said, "y", by="alice")
    assert said.body == "y"


def test_threads_are_resolved_by_those_who_have_the_button(pulled) -> None:
    desk, _ = pulled
    thread = talk.begin_thread(desk.repo, 1, "x", by="carol", path="a.py", line=30).thread
    with pytest.raises(ValueError, match="may not resolve"):
        talk.resolve(desk.repo, thread, by="carol")
    talk.resolve(desk.repo, thread, by="bob")
    talk.resolve(desk.repo, thread, by="alice")
    assert thread.resolved_by.login == "bob"
    talk.unresolve(desk.repo, thread, by="alice")
    assert told(desk)[1:] == [
        ("pull_request_review_thread", "resolved", "bob"),
        ("pull_request_review_thread", "unresolved", "alice"),
    ]


def test_reactions_are_put_once_under_comments_and_reviews_and_taken_back(pulled) -> None:
    desk, _ = pulled
    _, token, _ = desk.app()
    said = talk.say(desk.repo, 1, "x", by="carol")
    comment = talk.begin_thread(desk.repo, 1, "x", by="carol", path="a.py", line=30)
    summed = talk.review(desk.repo, 1, "x", by="carol")
    for record in (said, comment, summed):
        talk.react(desk.repo, record, "-1", by="alice")
        given = {"subjectId": record.node_id, "content": "EYES"}
        for _ in range(2):
            answer = mutate(desk, "addReaction", given, "reaction { content } subject { id }", token=token)
            assert answer["data"]["addReaction"] == {
                "reaction": {"content": "EYES"},
                "subject": {"id": record.node_id},
            }
        assert groups(desk, record, token=token) == {"THUMBS_DOWN": (False, ["alice"]), "EYES": (True, ["spark"])}
        assert groups(desk, record)["THUMBS_DOWN"] == (True, ["alice"])
        fields = "reactions(content: THUMBS_DOWN, first: 5) { totalCount viewerHasReacted nodes { user { login } } }"
        shown = {"totalCount": 1, "viewerHasReacted": True, "nodes": [{"user": {"login": "alice"}}]}
        assert reacted(desk, record, fields)["reactions"] == shown
        mutate(desk, "removeReaction", given, token=token)
        mutate(desk, "removeReaction", given, token=token)
        assert list(groups(desk, record)) == ["THUMBS_DOWN"]
    assert desk.client.get(f"{REPO}/issues/comments/{said.id}").json["reactions"]["-1"] == 1


def test_an_app_that_may_only_read_puts_no_reaction(pulled) -> None:
    desk, _ = pulled
    key, _, installation = desk.app()
    comment = talk.begin_thread(desk.repo, 1, "x", by="carol", path="a.py", line=30)
    narrow = {"permissions": {"contents": "write", "pull_requests": "read"}}
    weak = desk.client.post(f"/app/installations/{installation}/access_tokens", narrow, token=desk.jwt(key)).json
    given = {"subjectId": comment.node_id, "content": "EYES"}
    answer = mutate(desk, "addReaction", given, token=weak["token"])
    assert (answer["errors"][0]["type"], comment.reactions) == ("FORBIDDEN", [])


SUGGESTION = "Better:\n\n```suggestion\n%s```\n"


def test_the_button_under_a_suggestion_commits_it_and_resolves_the_thread(pulled) -> None:
    desk, pull = pulled
    desk.repo.permission("bob", "write")
    comment = talk.begin_thread(desk.repo, 1, SUGGESTION % "THIRTY\n", by="carol", path="a.py", line=30)
    head = talk.commit_suggestion(desk.repo, comment, by="bob")
    assert pull.head_sha == head
    assert told(desk)[1:] == [
        ("pull_request", "synchronize", "bob"),
        ("pull_request_review_thread", "resolved", "bob"),
    ]
    message = desk.repo.git.commit_info(head).message
    assert message.startswith("Update a.py\n\nCo-authored-by: carol <")
    assert (comment.thread.resolved_by.login, comment.thread.line) == ("bob", None)


def test_a_suggestion_puts_its_lines_for_those_it_stands_on(pulled) -> None:
    desk, pull = pulled
    for block, lines in (("TWO\nLINES\n", ["TWO", "LINES"]), ("ONE\n\n", ["ONE", ""]), ("\n", [""]), ("", [])):
        before = desk.repo.git.read(f"{pull.head_sha}:a.py")[2].decode().split("\n")
        comment = talk.begin_thread(desk.repo, 1, SUGGESTION % block, by="carol", path="a.py", line=30)
        talk.commit_suggestion(desk.repo, comment, by="alice")
        after = desk.repo.git.read(f"{pull.head_sha}:a.py")[2].decode().split("\n")
        assert after == [*before[:29], *lines, *before[30:]]


def test_suggestions_of_a_batch_are_one_commit(pulled) -> None:
    desk, pull = pulled
    before = pull.head_sha
    made = [
        talk.begin_thread(desk.repo, 1, SUGGESTION % f"{text}\n", by="carol", path="a.py", line=line)
        for line, text in ((30, "A\nB"), (31, "C"))
    ]
    talk.commit_suggestions(desk.repo, made, by="alice")
    assert desk.repo.git.commit_info(pull.head_sha).parents == (before,)
    text = desk.repo.git.read(f"{pull.head_sha}:a.py")[2].decode()
    assert text.split("\n")[28:33] == ["line 29", "A", "B", "C", "line 32"]


def test_there_is_no_button_where_github_shows_none(pulled) -> None:
    desk, _ = pulled

    def on(body: str, **place: object):
        where = {"path": "a.py", "line": 30} | place
        return talk.begin_thread(desk.repo, 1, body, by="carol", **where)

    good = SUGGESTION % "THIRTY\n"
    comment = on(good)
    for record, by, why in (
        (comment, "carol", "write access"),
        (on("no block"), "alice", "no suggestion"),
        (on(SUGGESTION % "thirty\n"), "alice", "no changes were made"),
        (on(good, side=Side.LEFT), "alice", "deleted lines"),
    ):
        with pytest.raises(ValueError, match=why):
            talk.commit_suggestion(desk.repo, record, by=by)
    with pytest.raises(ValueError, match="Only one suggestion per line"):
        talk.commit_suggestions(desk.repo, [comment, on(good)], by="alice")
    talk.commit_suggestion(desk.repo, comment, by="alice")
    with pytest.raises(ValueError, match="Outdated"):
        talk.commit_suggestion(desk.repo, comment, by="alice")


def commit_on(full_name: str, head: str):
    return {
        "branch": {"repositoryNameWithOwner": full_name, "branchName": "fix"},
        "expectedHeadOid": head,
        "message": {"headline": "Fix"},
        "fileChanges": {"additions": [{"path": "a.py", "contents": base64.b64encode(b"2\n").decode()}]},
    }


@pytest.mark.parametrize("lets", [True, False])
def test_an_app_commits_to_a_fork_only_where_maintainers_may_edit(desk, lets: bool) -> None:
    desk.repo.commit("main", {"a.py": "1\n"})
    fork = desk.repo.fork("erin/demo")
    head = fork.commit("fix", {"a.py": "one\n"}, "A fix", "erin")
    pull = desk.repo.open_pull("A fix", head="fix", author="erin", head_repo=fork, maintainer_can_modify=lets)
    _, token, _ = desk.app()
    shown = desk.client.get(f"{REPO}/pulls/1", token=token).json
    assert shown["maintainer_can_modify"] is lets
    answer = mutate(desk, "createCommitOnBranch", commit_on("erin/demo", head), "commit { oid }", token=token)
    if lets:
        assert answer["data"]["createCommitOnBranch"]["commit"]["oid"] == pull.head_sha != head
    else:
        assert answer["errors"][0]["type"] == "FORBIDDEN"
        assert pull.head_sha == head
    other = {**commit_on("erin/demo", head), "branch": {"repositoryNameWithOwner": "erin/demo", "branchName": "main"}}
    refused = mutate(desk, "createCommitOnBranch", other, token=token)
    assert refused["errors"][0]["type"] == "FORBIDDEN"


def test_an_app_that_is_installed_on_the_fork_commits_there_all_the_same(desk) -> None:
    desk.repo.commit("main", {"a.py": "1\n"})
    fork = desk.repo.fork("erin/demo")
    head = fork.commit("fix", {"a.py": "one\n"}, "A fix", "erin")
    pull = desk.repo.open_pull("A fix", head="fix", author="erin", head_repo=fork, maintainer_can_modify=False)
    key, _, _ = desk.app()
    own = desk.world.install(desk.world.apps[4711], "erin")
    token = desk.client.post(f"/app/installations/{own.id}/access_tokens", token=desk.jwt(key)).json["token"]
    mutate(desk, "createCommitOnBranch", commit_on("erin/demo", head), token=token)
    assert pull.head_sha != head
    assert desk.client.get(f"{REPO}/pulls/1/commits").json[-1]["author"]["login"] == "spark[bot]"
    shown = desk.client.get("/repos/erin/demo/commits?sha=fix&per_page=2").json
    assert [each["sha"] for each in shown] == [pull.head_sha, head]


def test_a_pull_of_the_repository_itself_has_no_maintainers_to_let_in(pulled) -> None:
    desk, _ = pulled
    assert desk.client.get(f"{REPO}/pulls/1").json["maintainer_can_modify"] is False


def test_a_custom_role_is_named_beside_what_it_amounts_to(desk) -> None:
    desk.repo.permission("erin", "write", role="deployer")
    found = desk.client.get(f"{REPO}/collaborators/erin/permission").json
    assert (found["permission"], found["role_name"]) == ("write", "deployer")
    desk.repo.permission("erin", "triage")
    found = desk.client.get(f"{REPO}/collaborators/erin/permission").json
    assert (found["permission"], found["role_name"]) == ("read", "triage")


def test_a_process_of_its_own_is_talked_to_through_the_control_door(make_desk, numbered) -> None:
    desk = make_desk(control=True)
    pull = desk.pull({"a.py": numbered(9)}, {"a.py": numbered(9, _3="three")})

    def act(name: str, **asked: object):
        answer = desk.client.post(f"//_sandbox/{name}", {"repo": "octo/demo", **asked})
        assert answer.status == 200, answer.raw
        return answer.json

    said = act("comments", number=1, body="/spark help", by="carol")
    first = act("threads", number=1, body=SUGGESTION % "THREE\n", by="carol", path="a.py", line=3)
    act("replies", comment=first["id"], body="Yes", by="bob")
    act("reviews", number=1, body="Fine", by="dave", state="APPROVED")
    act("reactions", id=said["id"], content="+1", by="bob")
    act("edits", id=said["id"], body="edited")
    assert act("resolutions", comment=first["id"], by="alice") == {"resolved_by": "alice"}
    assert act("resolutions", comment=first["id"], by="alice", undo=True) == {"resolved_by": None}
    assert act("suggestions", comments=[first["id"]], by="alice") == {"sha": pull.head_sha}
    assert [each.body for each in desk.repo.comments.values()][1] == "Yes"
    (kept,) = desk.repo.issue_comments.values()
    assert (kept.body, [each.content for each in kept.reactions]) == ("edited", ["+1"])
    assert [each.state for each in desk.repo.reviews.values()][-1] == "APPROVED"
    wrong = desk.client.post("//_sandbox/reactions", {"repo": "octo/demo", "id": 1, "content": "+1", "by": "bob"})
    assert wrong.status == 400
