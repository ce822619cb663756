"""The resources: a profile, what is recent, and single memories, for clients that attach them to a conversation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from mcp.shared.uri_template import UriTemplate
from mcp_types import Resource as Described
from mcp_types import ResourceTemplate

from mnemos.serve.mcp import work
from mnemos.serve.mcp.answers import MemoryOut, quote
from mnemos.serve.mcp.arguments import GetProfile, OneMemory
from mnemos.serve.mcp.caller import LOCAL, Caller
from mnemos.system import Mnemos

RECENT = 20
"""Memories of the resource that shows the latest."""
PLAIN = "text/plain"


@dataclass(frozen=True)
class Resource:
    """One resource, or all whose addresses are alike."""

    address: str
    """A URI template; without braces, the URI."""
    name: str
    title: str
    about: str
    work: Callable[[Mnemos, Caller, dict[str, str]], str]
    mime: str = PLAIN
    is_chosen: bool = False
    """Whether it names the scope, which only some callers may."""

    @cached_property
    def template(self) -> UriTemplate:
        """The address, to compare others with."""
        return UriTemplate.parse(self.address)

    @property
    def is_template(self) -> bool:
        """Whether it stands for many."""
        return "{" in self.address

    def described(self) -> Described:
        """A single one, as callers are told of it."""
        return Described(
            uri=self.address, name=self.name, title=self.title, description=self.about, mime_type=self.mime
        )

    def described_template(self) -> ResourceTemplate:
        """All that are alike, as callers are told of them."""
        return ResourceTemplate(
            uri_template=self.address, name=self.name, title=self.title, description=self.about, mime_type=self.mime
        )


def _profile(memory: Mnemos, caller: Caller, told: dict[str, str]) -> str:
    return work.get_profile(memory, caller, GetProfile.model_validate(told)).readable()


def _recent(memory: Mnemos, caller: Caller, told: dict[str, str]) -> str:
    latest = work.newest(memory, RECENT, kinds=work.ORIGINALS, **caller.scope(told.get("user_id")))
    return quote(MemoryOut.of(one, work.beginning(one)).row() for one in latest)


def _memory(memory: Mnemos, caller: Caller, told: dict[str, str]) -> str:
    return work.get_memory(memory, caller, OneMemory.model_validate(told)).model_dump_json()


ABOUT_PROFILE = "Who somebody is: what is stable about them, with dates."
ABOUT_RECENT = f"The latest {RECENT} memories, quoted with their dates and ids."
RESOURCES = (
    Resource("mnemos://profile", "profile", "Profile", ABOUT_PROFILE, _profile),
    Resource("mnemos://recent", "recent", "Recent memories", ABOUT_RECENT, _recent),
    Resource("mnemos://profile/{subject}", "profile-of", "Profile of a person", ABOUT_PROFILE, _profile),
    Resource(LOCAL + "{id}", "memory", "One memory", "One memory whole, as JSON.", _memory, "application/json"),
    Resource(
        "mnemos://user/{user_id}/profile", "user-profile", "Profile of a user", ABOUT_PROFILE, _profile, is_chosen=True
    ),
    Resource(
        "mnemos://user/{user_id}/recent", "user-recent", "A user's recent memories", ABOUT_RECENT, _recent,
        is_chosen=True,
    ),
)  # fmt: skip


def offered(caller: Caller) -> list[Resource]:
    """The resources that a caller is told of."""
    if "read" not in caller.access.scopes:
        return []
    return [one for one in RESOURCES if caller.fixed is None or not one.is_chosen]


def find(uri: str, caller: Caller) -> tuple[Resource, dict[str, str]] | None:
    """The resource of an address, and what the address says."""
    for one in offered(caller):
        told = one.template.match(uri)
        if told is not None:
            return one, {name: value for name, value in told.items() if isinstance(value, str)}
    return None
