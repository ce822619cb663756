"""Cubes: sets of memories with all their forms, history and provenance, written to one file and read from one."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from mnemos.aio import in_thread
from mnemos.arguments import read_flag
from mnemos.errors import InvalidInput
from mnemos.keeping import Keeper
from mnemos.namespaces import read_scope
from mnemos.origin import current_origin, writing_as
from mnemos.store.artifact_arguments import read_ids

if TYPE_CHECKING:
    from mnemos.cube import Imported, Written


class CubeVerbs(Keeper):
    """What `Mnemos` does with cubes."""

    def export_cube(
        self,
        path: str | os.PathLike[str],
        *,
        ids: Sequence[str] | None = None,
        user_id: str | None = None,
        agent_id: str | None = None,
        namespace: Sequence[str] | None = None,
        descendants: bool = False,
    ) -> Written:
        """Write a cube: memories, all that they were derived from, their history, and what was made of them alone.

        Args:
            path: where to; the same memories make the same bytes.
            ids: which memories; without them and without a scope, all of the store.
            user_id, agent_id, namespace, descendants: a scope, instead of ids.

        Returns:
            What was written, and what had to stay behind: no words of a memory outside the cube go with it.

        Raises:
            NotFound: an id is unknown.
            InvalidInput: ids are given beside a scope, or the folder is not there.
        """
        from mnemos.cube.exporting import Chosen, export_to

        target = self._not_itself(path)
        scope = read_scope(user_id, agent_id, namespace, descendants=read_flag(descendants, "descendants"))
        if scope.agent_id is not None:
            raise InvalidInput("agent_id", "is given beside another scope", "export the whole of it, or give ids")
        if ids is not None and scope.explicit:
            raise InvalidInput("ids", "are given together with a scope", "give one of the two")
        if ids is not None and not ids:
            raise InvalidInput("ids", "is empty", "name the memories to export")
        self._flush_uses()
        nums = self._namespaces_or_all(scope) if ids is None else None
        paths = None if nums is None else tuple(self._store.paths_of(nums))
        chosen = Chosen(paths, None if ids is None else read_ids(ids, "ids"))
        return export_to(self._store.db, target, chosen, self._now())

    def import_cube(
        self, path: str | os.PathLike[str], *, model: Any = None, tokenizer: Any = None, text_only: bool = False
    ) -> Imported:
        """Take a cube into this store, in one transaction: all of it, or nothing; a second time adds nothing.

        What was deleted here stays deleted, and what was deleted there is deleted here. Where both have changed a
        memory, the later change stands. Artifacts are kept of memories that say here what they say there; what is not
        kept is noted as wanted, so that `maintain` makes it for the model that is bound.

        Args:
            path: the cube.
            model: keep artifacts of this model only; without it, those of every model.
            tokenizer: the model's own.
            text_only: keep no artifacts: what a model is told by keys, values and weights is whatever their maker
                put there, and cannot be read as words can.

        Raises:
            CubeRefused: it is no cube, of a later release, damaged or changed; the store is as it was.
            InvalidInput: something in it cannot be accepted; the store is as it was.
        """
        from mnemos.cube import MemCube
        from mnemos.cube.arriving import Room
        from mnemos.cube.importing import import_from

        own = None if model is None else _fingerprints(model, tokenizer)
        fits: Callable[[str], bool] = (lambda one: True) if own is None else own.__contains__
        origin = current_origin()
        room = Room(self._store.db, self.artifacts, self._index, self._secrets.entry, self._now())
        with writing_as(origin.channel or "import", origin.writer), MemCube(path) as cube:
            done = import_from(cube, room, fits, text_only=read_flag(text_only, "text_only"))
        self._settle()
        return done

    aexport_cube = in_thread(export_cube)
    aimport_cube = in_thread(import_cube)


def _fingerprints(model: Any, tokenizer: Any) -> set[str]:
    """Of a model as it is, and without what is on it."""
    if tokenizer is None:
        raise InvalidInput("tokenizer", "is missing", "give the model's own tokenizer beside it")
    from dataclasses import replace

    from mnemos.activation.fingerprint import NONE, fingerprint_of

    found = fingerprint_of(model, tokenizer)
    return {found.digest, replace(found, adapter=NONE).digest}
