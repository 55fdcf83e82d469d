"""The comments of a pull or merge request, by a host's REST API: found by a hidden mark, changed in place."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import requests

TIMEOUT = 20.0  # seconds for an answer
PAUSES = (1.0, 3.0)  # seconds before the second and third try
PAGE = 100  # entries asked for at once: the most that both hosts give
REFUSED = (401, 403, 404)
OTHERS = (403, 404)  # a comment of somebody else's that bears the mark, or one that was deleted meanwhile


class Unheard(Exception):
    """The host did not do what it was asked: one line, without the token; status 0 is no answer."""

    def __init__(self, told: str, status: int = 0) -> None:
        super().__init__(told)
        self.status = status

    @property
    def passing(self) -> bool:
        """Whether it may go better soon: no answer, too many requests, or the host's own trouble."""
        return self.status in (0, 429) or self.status >= 500


@dataclass(frozen=True, kw_only=True)
class Host:
    """A repository's REST API at ``api``; ``headers`` sign, and ``remedy`` is what to do where it refuses."""

    name: str
    api: str
    headers: Mapping[str, str]
    remedy: str

    def list(self, path: str, **query: str) -> Any:
        """The first page of ``path``, asked for thrice. Raises Unheard."""
        return patient(lambda: self.ask("GET", path, params=query))

    def ask(self, method: str, path: str, **more: Any) -> Any:
        """What it answers, parsed: a list to GET, else an object. Raises Unheard."""
        try:
            answer = requests.request(  # a redirect would take the token away with it
                method, f"{self.api}/{path}", auth=self._signed, timeout=TIMEOUT, allow_redirects=False, **more
            )
            told = answer.json() if answer.status_code < 300 else None
            if isinstance(told, list if method == "GET" else dict):
                return told
        except requests.RequestException as error:
            raise Unheard(f"{self.name} does not answer ({type(error).__name__})") from None
        reason = f"{self.name} answered {method} {path} with HTTP {answer.status_code}"
        remedy = f": {self.remedy}" if answer.status_code in REFUSED else ""
        raise Unheard(f"{reason}{remedy}", answer.status_code)

    def _signed(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """As ``auth``, since a .netrc would sign what only has headers."""
        request.headers.update(self.headers)
        return request


@dataclass(frozen=True, kw_only=True)
class Comments:
    """One request's: listed and made at ``listed``, one changed by ``method`` at ``one``/its id.

    None is longer than ``limit`` characters. ``page`` is the request's, where the host does not tell a comment's.
    """

    host: Host
    listed: str
    one: str
    method: str
    limit: int
    page: str = ""

    def leave(self, mark: str, body: str) -> str:
        """Put ``body`` into the comment that begins with ``mark``, or into a new one; returns its URL.

        A try after one that failed on the host's side looks for the comment again, lest it make two. Raises Unheard.
        """
        comment = patient(lambda: self._left(mark, cut(f"{mark}\n{body}", self.limit)))
        return str(comment.get("html_url") or f"{self.page}#note_{comment['id']}")

    def _left(self, mark: str, body: str) -> Any:
        for comment in self._all():
            if not str(comment.get("body")).startswith(mark):
                continue
            try:
                return self.host.ask(self.method, f"{self.one}/{comment['id']}", json={"body": body})
            except Unheard as unheard:
                if unheard.status not in OTHERS:
                    raise
        return self.host.ask("POST", self.listed, json={"body": body})

    def _all(self) -> Iterator[Any]:
        number, found = 0, [None] * PAGE
        while len(found) == PAGE:
            number += 1
            found = self.host.ask("GET", self.listed, params={"per_page": PAGE, "page": number})
            yield from found


def patient(ask: Callable[[], Any]) -> Any:
    """What ``ask`` returns, tried thrice where its trouble may pass. Raises Unheard."""
    for pause in PAUSES:
        try:
            return ask()
        except Unheard as unheard:
            if not unheard.passing:
                raise
        time.sleep(pause)
    return ask()


def cut(body: str, limit: int) -> str:
    """``body``, or as many of its whole lines as fit into ``limit`` characters with a note that the rest is missing."""
    if len(body) <= limit:
        return body
    note = f"\n\n*Cut here: a comment has at most {limit:,} characters.*"
    kept = body[: limit - len(note) - 100].rpartition("\n")[0]  # 100 for folds to close
    return kept + "\n</details>" * (kept.count("<details>") - kept.count("</details>")) + note
