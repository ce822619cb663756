"""Class `AdapterMemory`: memories of a namespace as one LoRA: trained, put on a model, taken off, gone with them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Unpack

from transformers import PreTrainedModel

from mnemos.activation.fingerprint import NONE, Fingerprint, differences, fingerprint_of
from mnemos.errors import InvalidInput, NotFound
from mnemos.namespaces import read_namespace
from mnemos.parametric import files
from mnemos.parametric.asking import ByModel
from mnemos.parametric.course import Course, Settings
from mnemos.parametric.errors import AdapterRefused, NotRestored
from mnemos.parametric.library import RECIPE, Library, read_all
from mnemos.parametric.making import Made, make
from mnemos.parametric.mounting import Mount
from mnemos.parametric.paraphrase import Paraphrase, by_rules
from mnemos.records import Memory, Namespace
from mnemos.store.artifact_rows import Artifact


class AdapterMemory:
    """Keeps memories as weights: for each namespace one adapter in `peft`'s format, beside the store.

    An adapter goes with any of its memories, in whatever way that one goes or changes. While one is on the model,
    every forward pass looks first whether it is still there, and takes it off where it is not.

    Args:
        memory: the store, a `Mnemos`.
        model: a `transformers` causal language model without adapters. It stays the object to generate with.
        tokenizer: its tokenizer, with a token that ends a text.
        paraphrase: makes lessons of memories; by default rules do, and the language model where one is configured.

    Raises:
        InvalidInput: the model has an adapter of somebody else's on it.
    """

    def __init__(
        self, memory: Library, model: PreTrainedModel, tokenizer: Any, *, paraphrase: Paraphrase | None = None
    ) -> None:
        self._memory = memory
        self._tokenizer = tokenizer
        ask = memory.asking("paraphrase") if paraphrase is None else None
        self._paraphrase: Paraphrase = paraphrase or (ByModel(ask) if ask is not None else by_rules)
        self._mount = Mount(model)
        self._on: Artifact | None = None
        self._before: Fingerprint | None = None
        self._guard: Any = None

    @property
    def loaded(self) -> Artifact | None:
        """The adapter that is on the model or merged into it, as long as it is in the store."""
        self._look()
        return self._on

    # ── training ─────────────────────────────────────────────────────────────────────────────────────────────

    def train(self, ids: Sequence[str], **settings: Unpack[Settings]) -> Artifact:
        """Teach memories to an adapter and keep it; takes whatever is on the model off first.

        Where the namespace has an adapter already, it is gone on from: the new one holds the memories of both, and
        `replay` lessons of the older ones are read again for each new one. The old adapter is dropped. The memories
        are noted as wanted in this form, so that `retrain` knows them when the adapter has gone with one of them.

        Args:
            ids: memories of one namespace.
            settings: see `Course`.

        Raises:
            NotFound: a memory is unknown.
            InvalidInput: a setting cannot be accepted, the memories are of several namespaces or say nothing that can
                be learned, or one changed while it was being learned; nothing was kept.
            TrainingFailed: the learning rate is too high; nothing was kept.
        """
        course = Course(**settings)
        memories = read_all(self._memory, ids)
        self.roll_back()
        artifacts, namespace = self._memory.artifacts, memories[0].namespace
        own = self._own()
        had = self._all(namespace, own)
        base = None if course.fresh else next((one for one in had if self._is_current(one)), None)
        known = {one.id for one in memories}
        older = [] if base is None else read_all(self._memory, [one for one in base.sources if one not in known])
        artifacts.want([one.id for one in memories], "parametric")
        with artifacts.building([one.id for one in memories], "parametric"):
            lessons = self._paraphrase([*older, *memories], artifacts.now())
            begun = None if base is None else files.load(artifacts.path(base), base.hash)
            made = make(self._mount, self._tokenizer, lessons, known, course, begun)
            artifact = self._keep(made, [*older, *memories], own, course)
        if not course.keep_old:
            artifacts.drop([one.id for one in had if one.id != artifact.id])
        return artifact

    def retrain(self, namespace: Namespace | None = None, **settings: Unpack[Settings]) -> Artifact | None:
        """Train a namespace's adapter anew on all that is wanted in this form and still there; None: nothing is.

        What was deleted leaves no trace in it: it begins from the model, and not from an adapter that knew more.
        """
        wanted = [one.memory for one in self._memory.artifacts.wanted(form="parametric")]
        memories = [memory for one in wanted if (memory := self._memory.get(one)) is not None]
        own = read_namespace(namespace) if namespace is not None else None
        spaces = {one.namespace for one in memories} if own is None else {own}
        if len(spaces) > 1:
            raise InvalidInput("namespace", "is missing, and several have memories in this form", "name one")
        ids = [one.id for one in memories if one.namespace in spaces]
        settings["fresh"] = True
        return self.train(ids, **settings) if ids else None

    def _keep(self, made: Made, sources: Sequence[Memory], own: Fingerprint, course: Course) -> Artifact:
        with self._memory.artifacts.scratch() as path:
            files.save(files.Adapter(made.config, made.weights, own), path)
            return self._memory.artifacts.keep(
                "parametric",
                RECIPE,
                own.digest,
                sources,
                path,
                metadata={**made.figures, "seed": course.seed, **_until(sources, self._memory.artifacts.now())},
                seconds=made.seconds,
            )

    # ── putting on and taking off ────────────────────────────────────────────────────────────────────────────

    def load(self, artifact: Artifact) -> None:
        """Put an adapter on the model and switch it on, alone; several may be on it at once.

        Raises:
            NotFound: it is gone, since a memory that it was made of was deleted or changed.
            InvalidInput: something that it teaches is no longer true; `retrain` makes it anew.
            AdapterRefused: it is of another model; each difference is named.
            AdapterDamaged: its file is not what was written.
        """
        found = self._memory.artifacts.get(artifact.id)
        if found is None:
            raise NotFound("artifact", artifact.id)
        if not self._is_current(found):
            raise InvalidInput("artifact", "teaches something that is no longer true", "retrain its namespace")
        if self._mount.merged:
            self.roll_back()
        self._look()
        if found.id in self._mount.names:
            self._mount.show(found.id)
        else:
            self._put_on(found)
        self._on = found
        self._memory.artifacts.used([found.id])

    def _put_on(self, artifact: Artifact) -> None:
        adapter = files.load(self._memory.artifacts.path(artifact), artifact.hash)
        own = self._own()
        different = differences(own, adapter.fingerprint)
        if different:
            raise AdapterRefused(different)
        self._before = self._before or own
        try:
            self._mount.put_on(artifact.id, adapter.config, adapter.weights)
        except BaseException:
            self._take_off()
            raise
        if self._guard is None:
            self._guard = self._mount.model.register_forward_pre_hook(lambda model, given: self._look())

    def switch(self, namespace: Namespace | None) -> Artifact | None:
        """Switch to the adapter of a namespace, and load it where it is not on the model yet.

        Returns:
            The adapter; None where the namespace has none that is up to date and of this model, or for None: then
            the model answers without any.
        """
        if self._mount.merged:
            self.roll_back()
        own = read_namespace(namespace) if namespace is not None else None
        artifact = self.find(own) if own is not None else None
        if artifact is not None:
            self.load(artifact)
        else:
            self._look()
            self._mount.hide()
            self._on = None
        return artifact

    def find(self, namespace: Namespace) -> Artifact | None:
        """The adapter of a namespace that is up to date and of this model, the latest."""
        return next((one for one in self._all(namespace, self._own()) if self._is_current(one)), None)

    def _all(self, namespace: Namespace, own: Fingerprint) -> list[Artifact]:
        artifacts = self._memory.artifacts
        return artifacts.find(form="parametric", recipe=RECIPE, fingerprint=own.digest, namespace=namespace)

    @contextlib.contextmanager
    def active(self, namespace: Namespace | None) -> Iterator[Artifact | None]:
        """Within the block the model knows what the namespace's adapter holds; afterwards it is what it was before.

        None: no adapter is on at first; whatever is loaded within the block is taken off at its end, too.

        An adapter whose memories were deleted or changed since it was loaded is not used.
        """
        before = self.loaded
        if self._mount.merged:
            raise InvalidInput("namespace", "cannot be switched to while an adapter is merged", "roll_back() first")
        try:
            yield self.switch(namespace)
        finally:
            found = None if before is None else self._memory.artifacts.get(before.id)
            if found is not None and self._is_current(found):
                self.load(found)
            else:
                self._take_off()

    def merge(self) -> None:
        """Add the adapter that is on to the model's own weights, until `roll_back`; others are taken off.

        Raises:
            InvalidInput: none is on, or the model is quantised.
        """
        if self.loaded is None or self._on is None:
            raise InvalidInput("adapter", "is not loaded", "load one, or switch to a namespace that has one")
        if not self._mount.merged:
            self._mount.merge(self._on.id)

    def unload(self, artifact: Artifact) -> None:
        """Take one adapter off the model; where it is merged, its weights are taken back."""
        if self._mount.merged and self._on is not None and self._on.id == artifact.id:
            self.roll_back()
            return
        self._mount.remove(artifact.id)
        if self._on is not None and self._on.id == artifact.id:
            self._mount.hide()
            self._on = None
        if not self._mount.names and not self._mount.merged:
            self._take_off()

    def roll_back(self) -> None:
        """Take everything off: the model's weights are those that it had, bit for bit, also after `merge`.

        Raises:
            NotRestored: something else changed the weights meanwhile; the adapters are off, that change stays.
        """
        before = self._before
        self._take_off()
        if before is not None and (different := differences(self._own(), before)):
            raise NotRestored(f"the model is not what it was when the adapter was loaded: {'; '.join(different)}")

    def unpack(self, artifact: Artifact, folder: Path | str) -> Path:
        """Write an adapter as a folder that `peft.PeftModel.from_pretrained` loads; returns the folder.

        Such a copy is outside the store: deleting a memory does not reach it.
        """
        return files.unpack(files.load(self._memory.artifacts.path(artifact), artifact.hash), Path(folder))

    def _take_off(self) -> None:
        if self._guard is not None:
            self._guard.remove()
        self._guard = self._on = self._before = None
        self._mount.take_off()

    def _look(self) -> None:
        """Let go of adapters that are no longer in the store, or no longer true."""
        on = [self._on.id] if self._on is not None and self._mount.merged else self._mount.names
        for name in on:
            found = self._memory.artifacts.get(name)
            if found is None or not self._is_current(found):
                if self._mount.merged or on == [name]:
                    self._take_off()
                    return
                self._mount.remove(name)
                if self._on is not None and self._on.id == name:
                    self._mount.hide()
                    self._on = None

    def _is_current(self, artifact: Artifact) -> bool:
        """Whether all that an adapter teaches is still so."""
        until = artifact.metadata.get("until")
        return artifact.state == "fresh" and (until is None or self._memory.artifacts.now().timestamp() < until)

    def _own(self) -> Fingerprint:
        """The model's fingerprint without what is on it."""
        return replace(fingerprint_of(self._mount.model, self._tokenizer), adapter=NONE)


def _until(sources: Sequence[Memory], now: datetime) -> dict[str, float]:
    """When the first of some memories ceases to be true, as seconds since 1970 UTC, where that is known beforehand."""
    ends = [one.invalid_at for one in sources if one.invalid_at is not None and one.invalid_at > now]
    return {"until": min(ends).timestamp()} if ends else {}
