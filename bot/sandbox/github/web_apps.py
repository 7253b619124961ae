"""The pages of an App: registering one from a manifest, installing it, and what its installation may do.

A visitor may do everything: there is no sign-in.
"""

from __future__ import annotations

from urllib.parse import urlencode

from flask import Flask, abort, redirect, render_template, request
from werkzeug.wrappers import Response

from bot.sandbox.github import manifests
from bot.sandbox.github.gate import Site
from bot.sandbox.github.records import App, Installation, User

_OWNER = "spark-owner"
"""Whose settings `/settings/apps/new` are."""


def install(app: Flask, site: Site) -> None:
    """Add the pages."""
    _registering(app, site)
    _installing(app, site)


def _registering(app: Flask, site: Site) -> None:
    world = site.world

    @app.route("/settings/apps/new", methods=["GET", "POST"], endpoint="new_app")
    @app.route("/organizations/<org>/settings/apps/new", methods=["GET", "POST"], endpoint="new_app")
    def new_app(org: str | None = None) -> tuple[str, int]:
        text = request.form.get("manifest", "")
        manifest = manifests.parsed(text) if text else None
        wrong = manifests.problems(manifest) if text else []
        page = render_template(
            "new_app.html",
            org=org,
            owner=org or _OWNER,
            manifest=manifest,
            text=text,
            state=request.args.get("state", ""),
            problems=wrong,
        )
        return page, 422 if wrong else 200

    @app.post("/settings/apps")
    def create_app() -> Response | tuple[str, int]:
        manifest = manifests.parsed(request.form.get("manifest", ""))
        if wrong := manifests.problems(manifest):
            return " ".join(wrong), 422
        org = request.form.get("org", "")
        with world.lock:
            owner = world.user(org or _OWNER, kind="Organization" if org else None)
            try:
                code = manifests.create(world, manifest, request.form.get("name", "").strip(), owner)
            except ValueError as error:
                return str(error), 422
            site.webhooks.ping(world.new_apps[code].app)
        query = {"code": code} | ({"state": request.form["state"]} if request.form.get("state") else {})
        joint = "&" if "?" in manifest["redirect_url"] else "?"
        return redirect(manifest["redirect_url"] + joint + urlencode(query), 302)


def _installing(app: Flask, site: Site) -> None:
    world = site.world

    @app.get("/apps/<slug>")
    def app_page(slug: str) -> Response:
        return redirect(f"/apps/{_app(site, slug).slug}/installations/new", 302)

    @app.get("/apps/<slug>/installations/new")
    def choose(slug: str) -> str:
        found = _app(site, slug)
        with world.lock:
            owners = {repo.owner.login: repo.owner for repo in world.repos.values()}.values()
            accounts = [
                (
                    owner,
                    [repo for repo in world.repos.values() if repo.owner is owner],
                    _installation(site, found, owner),
                )
                for owner in owners
            ]
            return render_template("install_app.html", app=found, accounts=accounts)

    @app.post("/apps/<slug>/installations")
    def install_app(slug: str) -> Response:
        found = _app(site, slug)
        chosen = set(request.form.getlist("repo"))
        with world.lock:
            account = request.form.get("account", "")
            if not chosen <= {repo.full_name for repo in world.repos.values()} or account.lower() not in world.users:
                abort(404)
            record = _installation(site, found, world.user(account)) or world.install(
                found, account, repos=chosen if request.form.get("which") == "selected" else None
            )
        if found.setup_url:
            query = urlencode({"installation_id": record.id, "setup_action": "install"})
            return redirect(f"{found.setup_url}?{query}", 302)
        return redirect(f"/settings/installations/{record.id}", 303)

    @app.get("/settings/installations/<int:number>")
    def installation(number: int) -> str:
        with world.lock:
            record = _by_number(site, number)
            repos = [repo for repo in world.repos.values() if world.covers(record, repo)]
            return render_template("installation.html", installation=record, repos=repos)

    @app.post("/settings/installations/<int:number>/<what>")
    def change(number: int, what: str) -> Response:
        with world.lock:
            record = _by_number(site, number)
            if what == "uninstall":
                world.uninstall(record)
                return redirect(f"/apps/{record.app.slug}/installations/new", 303)
            if what not in {"suspend", "unsuspend"}:
                abort(404)
            world.suspend(record, lift=what == "unsuspend")
        return redirect(f"/settings/installations/{number}", 303)


def _app(site: Site, slug: str) -> App:
    found = next((app for app in site.world.apps.values() if app.slug == slug), None)
    if found is None:
        abort(404)
    return found


def _installation(site: Site, app: App, account: User) -> Installation | None:
    found = (each for each in site.world.installations.values() if each.app is app and each.account is account)
    return next(found, None)


def _by_number(site: Site, number: int) -> Installation:
    found = site.world.installations.get(number)
    if found is None:
        abort(404)
    return found
