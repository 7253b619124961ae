"""The life of one pull request, as a story: five findings, and what becomes of each."""

from __future__ import annotations

from typing import Any

CONFIG = "gate:\n  fail_on: high\n"
ORDERS = '''"""Orders of the shop."""

import requests


def add(order, orders=[]):
    orders.append(order)
    return orders


def rate(currency):
    if currency == None:
        currency = "EUR"
    answer = requests.get(f"https://rates.example/{currency}")
    return answer.json()
'''
REPORT = '''"""Figures of a month."""


def mean(amounts):
    return sum(amounts) / len(amounts)


def apply(rule, amounts):
    return [eval(rule, {"amount": amount}) for amount in amounts]
'''
SMELLY = '''"""Somebody else's code."""

import os


def wipe(name, args={}):
    if name == None:
        os.system(f"rm -r {name}")
    return eval(name)
'''
BEFORE = {"shop/stock.py": '"""The stock."""\n'}
"""What is on main when the story begins, beside a README."""
DEFAULT = "A default value is shared between calls"
NONE = "None is compared by equality"
TIMEOUT = "A request without a time limit"
DIVISION = "Division by the length"
EVAL = "Text is run as code"


def play(chat: Any) -> None:
    """All of it. `chat` has what came of it."""
    chat.opens({"shop/orders.py": ORDERS, "shop/report.py": REPORT}, title="Orders and a report")

    chat.replies(EVAL, "This is on purpose: rules come from our own price list, never from a customer.", by="alice")
    chat.replies(DIVISION, "/spark ignore a month without orders is never reported", by="bob")

    orders = ORDERS.replace('{currency}")', '{currency}", timeout=5)')
    chat.pushes({"shop/orders.py": orders}, "The rates may not hang")

    chat.replies(DEFAULT, "/spark fix --commit", by="alice")

    chat.main_gets({"shop/stock.py": SMELLY}, "Stock can be wiped")
    chat.rebases()

    chat.main_gets({"shop/mail.py": SMELLY, "README.md": "# The shop\n"}, "Mail")
    chat.merges_main()

    chat.says("/spark fix all", by="alice")

    report = f"{chat.file('shop/report.py')}\n\ndef yearly(months):\n    return sum(months) / len(months)\n"
    chat.pushes({"shop/report.py": report}, "The year's figures")
