from __future__ import annotations

import base64

import pytest

REPO = "/repos/octo/demo"
PULL = 'repository(owner: "octo", name: "demo") { pullRequest(number: 1) { %s } }'


@pytest.fixture
def pulled(desk, numbered):
    return desk, desk.pull({"a.py": numbered(60), "b.bin": b"\0x"}, {"a.py": numbered(60, _30="thirty"), "n.py": "1\n"})


def ask(desk, fields, **more):
    answer = desk.client.graphql("query { %s }" % (PULL % fields), **more)
    assert "errors" not in answer
    return answer["data"]["repository"]["pullRequest"]


def mutate(desk, name, kind, given, fields, **more):
    query = f"mutation($input: {kind}!) {{ {name}(input: $input) {{ {fields} }} }}"
    return desk.client.graphql(query, {"input": given}, **more)


def threads(desk, **more):
    fields = "reviewThreads(first: 50) { nodes { id isResolved isOutdated line path comments(first: 9) { nodes { body } } } }"
    return ask(desk, fields, **more)["reviewThreads"]["nodes"]


def begin(desk, pull):
    made = mutate(
        desk,
        "addPullRequestReview",
        "AddPullRequestReviewInput",
        {"pullRequestId": pull.node_id},
        "pullRequestReview { id state }",
    )
    return made["data"]["addPullRequestReview"]["pullRequestReview"]


def add(desk, review, **more):
    given = {"pullRequestReviewId": review["id"], "body": "x", "path": "a.py", "line": 30} | more
    return mutate(desk, "addPullRequestReviewThread", "AddPullRequestReviewThreadInput", given, "thread { id line }")


def test_many_blobs_come_in_one_query(pulled) -> None:
    desk, pull = pulled
    fields = "... on Blob { text isBinary isTruncated byteSize oid }"
    query = f"""query {{ repository(owner: "octo", name: "demo") {{
        a: object(expression: "{pull.head_sha}:n.py") {{ {fields} }}
        b: object(expression: "{pull.base_sha}:b.bin") {{ {fields} }}
        c: object(expression: "{pull.head_sha}:missing") {{ {fields} }} }} }}"""
    found = desk.client.graphql(query)["data"]["repository"]
    assert found["a"]["text"] == "1\n"
    assert (found["b"]["isBinary"], found["b"]["text"], found["b"]["byteSize"]) == (True, None, 2)
    assert found["c"] is None


def test_files_are_paged_and_need_a_boundary(pulled) -> None:
    desk, _ = pulled
    first = ask(desk, "files(first: 1) { totalCount nodes { path changeType } pageInfo { hasNextPage endCursor } }")[
        "files"
    ]
    assert (first["totalCount"], first["nodes"]) == (2, [{"path": "a.py", "changeType": "MODIFIED"}])
    cursor = first["pageInfo"]["endCursor"]
    rest = ask(desk, f'files(first: 9, after: "{cursor}") {{ nodes {{ path }} pageInfo {{ hasNextPage }} }}')["files"]
    assert (rest["nodes"], rest["pageInfo"]["hasNextPage"]) == ([{"path": "n.py"}], False)
    for bounds, kind in (("", "MISSING_PAGINATION_BOUNDARIES"), ("(first: 101)", "EXCESSIVE_PAGINATION")):
        answer = desk.client.graphql("query { %s }" % (PULL % f"files{bounds} {{ totalCount }}"))
        assert answer["errors"][0]["type"] == kind


def test_a_review_is_begun_filled_and_submitted(pulled) -> None:
    desk, pull = pulled
    review = begin(desk, pull)
    assert review["state"] == "PENDING"
    add(desk, review)
    add(desk, review, startLine=28, startSide="RIGHT")
    whole = {"pullRequestReviewId": review["id"], "body": "x", "path": "n.py", "subjectType": "FILE"}
    mutate(desk, "addPullRequestReviewThread", "AddPullRequestReviewThreadInput", whole, "thread { id }")
    assert desk.client.get(f"{REPO}/pulls/1/comments").json == []
    given = {"pullRequestReviewId": review["id"], "event": "COMMENT", "body": "Done"}
    done = mutate(
        desk, "submitPullRequestReview", "SubmitPullRequestReviewInput", given, "pullRequestReview { state body }"
    )
    assert done["data"]["submitPullRequestReview"]["pullRequestReview"] == {"state": "COMMENTED", "body": "Done"}
    comments = desk.client.get(f"{REPO}/pulls/1/comments").json
    assert [(each["line"], each["start_line"], each["subject_type"]) for each in comments] == [
        (30, None, "line"),
        (30, 28, "line"),
        (1, None, "file"),
    ]


def test_a_line_outside_the_diff_is_taken_and_never_shown(pulled) -> None:
    desk, pull = pulled
    review = begin(desk, pull)
    lost = add(desk, review, line=3)
    assert "errors" not in lost
    assert lost["data"]["addPullRequestReviewThread"]["thread"]["line"] is None
    given = {"pullRequestReviewId": review["id"], "event": "COMMENT", "body": "b"}
    mutate(desk, "submitPullRequestReview", "SubmitPullRequestReviewInput", given, "clientMutationId")
    assert threads(desk) == []


def test_a_whole_review_in_one_mutation_is_all_or_nothing(pulled) -> None:
    desk, pull = pulled
    given = {"pullRequestId": pull.node_id, "event": "COMMENT", "body": "b"}
    place = {"path": "a.py", "line": 30, "body": "x"}
    bad = given | {"threads": [place, place | {"line": 3}]}
    answer = mutate(desk, "addPullRequestReview", "AddPullRequestReviewInput", bad, "pullRequestReview { id }")
    assert answer["errors"][0]["type"] == "UNPROCESSABLE"
    assert "line must be part of the diff" in answer["errors"][0]["message"]
    good = given | {"threads": [place]}
    mutate(desk, "addPullRequestReview", "AddPullRequestReviewInput", good, "pullRequestReview { id }")
    assert len(threads(desk)) == 1


def test_threads_are_resolved_opened_and_answered(pulled) -> None:
    desk, pull = pulled
    body = {"path": "a.py", "line": 30, "side": "RIGHT", "body": "x", "commit_id": pull.head_sha}
    desk.client.post(f"{REPO}/pulls/1/comments", body)
    (thread,) = threads(desk)
    for name, state in (("resolve", True), ("unresolve", False)):
        kind = f"{name.capitalize()}ReviewThreadInput"
        mutate(desk, f"{name}ReviewThread", kind, {"threadId": thread["id"]}, "thread { isResolved }")
        assert threads(desk)[0]["isResolved"] is state
    given = {"pullRequestReviewThreadId": thread["id"], "body": "y"}
    mutate(desk, "addPullRequestReviewThreadReply", "AddPullRequestReviewThreadReplyInput", given, "comment { id }")
    assert [each["body"] for each in threads(desk)[0]["comments"]["nodes"]] == ["x", "y"]
    desk.repo.commit("work", {"a.py": "all new\n"})
    assert (threads(desk)[0]["isOutdated"], threads(desk)[0]["line"]) == (True, None)


def test_an_app_needs_to_write_contents_to_resolve_a_thread(pulled) -> None:
    desk, pull = pulled
    key, token, installation = desk.app()
    body = {"path": "a.py", "line": 30, "side": "RIGHT", "body": "x", "commit_id": pull.head_sha}
    desk.client.post(f"{REPO}/pulls/1/comments", body)
    (thread,) = threads(desk)
    narrow = {"permissions": {"pull_requests": "write", "contents": "read"}}
    weak = desk.client.post(f"/app/installations/{installation}/access_tokens", narrow, token=desk.jwt(key)).json[
        "token"
    ]
    given = {"threadId": thread["id"]}
    refused = mutate(desk, "resolveReviewThread", "ResolveReviewThreadInput", given, "thread { id }", token=weak)
    assert refused["data"] == {"resolveReviewThread": None}
    assert refused["errors"][0]["type"] == "FORBIDDEN"
    assert refused["errors"][0]["path"] == ["resolveReviewThread"]
    good = mutate(desk, "resolveReviewThread", "ResolveReviewThreadInput", given, "thread { isResolved }", token=token)
    assert good["data"]["resolveReviewThread"]["thread"]["isResolved"] is True


def test_mutations_of_one_document_are_made_in_its_order_and_a_refused_one_is_null_with_its_alias(pulled) -> None:
    desk, pull = pulled
    body = {"path": "a.py", "line": 30, "side": "RIGHT", "body": "x", "commit_id": pull.head_sha}
    desk.client.post(f"{REPO}/pulls/1/comments", body)
    (thread,) = threads(desk)
    kinds = "$a: AddPullRequestReviewThreadReplyInput!, $b: ResolveReviewThreadInput!, $c: ResolveReviewThreadInput!"
    answer = desk.client.graphql(
        f"""mutation ({kinds}) {{
          a: addPullRequestReviewThreadReply(input: $a) {{ comment {{ body }} }}
          b: resolveReviewThread(input: $b) {{ thread {{ id }} }}
          c: resolveReviewThread(input: $c) {{ thread {{ isResolved comments(first: 9) {{ totalCount }} }} }}
        }}""",
        {
            "a": {"pullRequestReviewThreadId": thread["id"], "body": "Fixed."},
            "b": {"threadId": "PRRT_nowhere"},
            "c": {"threadId": thread["id"]},
        },
    )
    assert answer["data"] == {
        "a": {"comment": {"body": "Fixed."}},
        "b": None,
        "c": {"thread": {"isResolved": True, "comments": {"totalCount": 2}}},
    }
    (error,) = answer["errors"]
    assert (error["type"], error["path"]) == ("NOT_FOUND", ["b"])


def line_comment(desk, pull):
    """A thread of alice's: its id, and the comment's."""
    body = {"path": "a.py", "line": 30, "side": "RIGHT", "body": "x", "commit_id": pull.head_sha}
    comment = desk.client.post(f"{REPO}/pulls/{pull.number}/comments", body).json["node_id"]
    return threads(desk)[0]["id"], comment


def answer_in(desk, thread, review, **more):
    given = {"pullRequestReviewThreadId": thread, "pullRequestReviewId": review["id"], "body": "y"}
    kind = "AddPullRequestReviewThreadReplyInput"
    return mutate(desk, "addPullRequestReviewThreadReply", kind, given, "comment { id }", **more)


def test_replies_of_a_pending_review_are_seen_by_their_author_alone_and_told_when_it_is_submitted(pulled) -> None:
    desk, pull = pulled
    desk.world.user("carol", token="carol-token")
    desk.repo.permission("carol", "read")
    thread, _ = line_comment(desk, pull)
    review, heard = begin(desk, pull), []
    desk.world.listeners.append(lambda happening: heard.append((happening.event, happening.action)))
    made = answer_in(desk, thread, review)["data"]["addPullRequestReviewThreadReply"]["comment"]

    def seen(token):
        return [each["body"] for each in threads(desk, token=token)[0]["comments"]["nodes"]]

    assert (seen("alice-token"), seen("carol-token"), heard) == (["x", "y"], ["x"], [])
    assert len(desk.client.get(f"{REPO}/pulls/1/comments").json) == 1
    edit = {"pullRequestReviewCommentId": made["id"], "body": "z"}
    for token, errors in (("carol-token", 1), ("alice-token", 0)):
        kind = "UpdatePullRequestReviewCommentInput"
        answer = mutate(desk, "updatePullRequestReviewComment", kind, edit, "clientMutationId", token=token)
        assert len(answer.get("errors", ())) == errors
    assert heard == []
    given = {"pullRequestReviewId": review["id"], "event": "COMMENT"}
    mutate(desk, "submitPullRequestReview", "SubmitPullRequestReviewInput", given, "clientMutationId")
    assert heard == [("pull_request_review", "submitted"), ("pull_request_review_comment", "created")]
    assert seen("carol-token") == ["x", "z"]
    (late,) = answer_in(desk, thread, review)["errors"]
    assert late["type"] == "UNPROCESSABLE"


def test_a_reply_cannot_belong_to_the_review_of_another_pull(pulled) -> None:
    desk, pull = pulled
    thread, _ = line_comment(desk, pull)
    desk.repo.branch("other")
    desk.repo.commit("other", {"o.py": "1\n"}, "Other", "bob")
    other = desk.repo.open_pull("Another", "Why", head="other", author="bob")
    (error,) = answer_in(desk, thread, begin(desk, other))["errors"]
    assert error["type"] == "UNPROCESSABLE"


def test_a_comment_is_changed_by_its_author_and_its_edit_is_told(pulled) -> None:
    desk, pull = pulled
    desk.world.user("carol", token="carol-token")
    desk.repo.permission("carol", "write")
    _, comment = line_comment(desk, pull)
    heard = []
    desk.world.listeners.append(lambda happening: heard.append((happening.event, happening.action)))

    def edit(body, node=comment, **more):
        given = {"pullRequestReviewCommentId": node, "body": body}
        kind, fields = "UpdatePullRequestReviewCommentInput", "pullRequestReviewComment { body }"
        return mutate(desk, "updatePullRequestReviewComment", kind, given, fields, **more)

    refused = [
        edit("z", token="carol-token"),
        edit("z", "PRRC_nowhere"),
        edit("   "),
        edit("z" * (desk.server.options.limits.body_characters + 1)),
    ]
    types = [answer["errors"][0]["type"] for answer in refused]
    assert types == ["FORBIDDEN", "NOT_FOUND", "UNPROCESSABLE", "UNPROCESSABLE"]
    assert heard == []
    assert edit("z")["data"] == {"updatePullRequestReviewComment": {"pullRequestReviewComment": {"body": "z"}}}
    assert heard == [("pull_request_review_comment", "edited")]
    assert [each["body"] for each in threads(desk)[0]["comments"]["nodes"]] == ["z"]


def test_comments_are_minimized_with_their_reason(pulled) -> None:
    desk, _ = pulled
    made = desk.client.post(f"{REPO}/issues/1/comments", {"body": "x"}).json
    given = {"subjectId": made["node_id"], "classifier": "OUTDATED"}
    answer = mutate(
        desk, "minimizeComment", "MinimizeCommentInput", given, "minimizedComment { isMinimized minimizedReason }"
    )
    shown = {"isMinimized": True, "minimizedReason": "outdated"}
    assert answer["data"]["minimizeComment"]["minimizedComment"] == shown
    assert ask(desk, "comments(first: 1) { nodes { isMinimized } }")["comments"]["nodes"] == [{"isMinimized": True}]


def test_a_commit_is_made_only_on_the_head_that_was_expected(pulled) -> None:
    desk, pull = pulled
    old = pull.head_sha
    given = {
        "branch": {"repositoryNameWithOwner": "octo/demo", "branchName": "work"},
        "expectedHeadOid": old,
        "message": {"headline": "Fix", "body": "Why"},
        "fileChanges": {
            "additions": [{"path": "n.py", "contents": base64.b64encode(b"2\n").decode()}],
            "deletions": [{"path": "b.bin"}],
        },
    }
    kind = "CreateCommitOnBranchInput"
    made = mutate(desk, "createCommitOnBranch", kind, given, "commit { oid message } ref { name }")
    assert made["data"]["createCommitOnBranch"]["commit"]["message"] == "Fix\n\nWhy"
    assert desk.repo.pulls[1].head_sha == made["data"]["createCommitOnBranch"]["commit"]["oid"]
    assert desk.client.get(f"{REPO}/contents/b.bin?ref=work").status == 404
    stale = mutate(desk, "createCommitOnBranch", kind, given, "commit { oid }")
    assert stale["errors"][0]["type"] == "STALE_DATA"
    assert f'Expected branch to point to "{old}"' in stale["errors"][0]["message"]


@pytest.mark.wrong_requests
def test_errors_have_github_s_shape(desk) -> None:
    missing = desk.client.graphql('{ repository(owner: "octo", name: "nothing") { id } }')
    assert missing["data"] == {"repository": None}
    assert missing["errors"][0]["type"] == "NOT_FOUND"
    assert missing["errors"][0]["message"] == "Could not resolve to a Repository with the name 'octo/nothing'."
    unknown = desk.client.graphql("{ nothing }")
    assert "data" not in unknown
    assert "nothing" in unknown["errors"][0]["message"]
    assert desk.client.graphql('{ node(id: "x") { id } }')["errors"][0]["type"] == "NOT_FOUND"
    assert "errors" in desk.client.graphql("{ viewer { ")
    assert "errors" in desk.client.graphql("query($n: Int!) { rateLimit { limit } }", {"n": "x"})


def test_a_pending_review_of_somebody_else_is_hidden(pulled) -> None:
    desk, pull = pulled
    add(desk, begin(desk, pull))
    desk.world.user("carol", "carol-token")
    assert len(threads(desk)) == 1
    assert threads(desk, token="carol-token") == []
    fields = "reviews(first: 9) { totalCount }"
    assert ask(desk, fields, token="carol-token")["reviews"]["totalCount"] == 0
