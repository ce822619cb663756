"""A model with adapters put on and taken off: afterwards it is what it was, bit for bit.

The model's own weights are never computed with in place. An adapter that is on stands beside them; one that is merged
lies in new weights, and the old ones are kept aside and put back as they were. Subtracting what was added, as is often
done, would leave rounding errors.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from peft import LoraConfig, PeftConfig, PeftModel, get_peft_model_state_dict, set_peft_model_state_dict
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor, nn
from transformers import PreTrainedModel

from mnemos.errors import InvalidInput
from mnemos.parametric.errors import AdapterDamaged


class Mount:
    """One model, and the adapters that are on it.

    Args:
        model: a `transformers` model without adapters. It stays the object to generate with.

    Raises:
        InvalidInput: it has adapters of somebody else's already.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        if isinstance(model, PeftModel) or any(isinstance(one, BaseTunerLayer) for one in model.modules()):
            raise InvalidInput("model", "has an adapter on it", "unload or merge it first, and give the model inside")
        self.model = model
        self.wrapped: Any = None
        """`peft`'s model around ours, while an adapter is on it."""
        self.merged = False
        self._aside: list[tuple[nn.Parameter, Tensor]] = []
        self._wanting: dict[str, bool] = {}

    @property
    def names(self) -> list[str]:
        """The adapters that are on the model, whether they are switched on or not."""
        return [] if self.wrapped is None else list(self.wrapped.peft_config)

    def put_on(
        self, name: str, config: Mapping[str, Any], weights: Mapping[str, Tensor] | None = None, seed: int = 0
    ) -> None:
        """Put an adapter on and switch it on, alone.

        Args:
            name: under which it is switched on again.
            config: as `peft` keeps it.
            weights: its own; None: first weights by the seed, ready to be trained.
            seed: decides about first weights.

        Raises:
            InvalidInput: the model has no modules of the names that the configuration targets.
            AdapterDamaged: the weights do not fit the model.
        """
        made = _config(config, is_training=weights is None)
        if self.wrapped is None:
            self._wanting = {key: one.requires_grad for key, one in self.model.named_parameters()}
        with self._or_nothing(), seeded(seed), warnings.catch_warnings():
            # peft asks for an attribute that transformers has renamed, and sets by itself what GPT-2's layers need
            warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
            warnings.filterwarnings("ignore", "fan_in_fan_out is set to False", UserWarning)
            if self.wrapped is None:
                self.wrapped = PeftModel(self.model, made, name)
            else:
                self.wrapped.add_adapter(name, made)
            if weights is not None:
                self.fill(name, weights)
            self.show(name, is_training=weights is None)

    def fill(self, name: str, weights: Mapping[str, Tensor]) -> None:
        """Give an adapter that is on these weights, by `peft`'s names.

        Raises:
            AdapterDamaged: they do not fit the model.
        """
        try:
            loaded: Any = set_peft_model_state_dict(self.wrapped, dict(weights), adapter_name=name)
        except (RuntimeError, KeyError, ValueError) as error:
            raise AdapterDamaged(f"the adapter's weights do not fit the model: {error}") from error
        missing = [key for key in loaded.missing_keys if "lora_" in key and f".{name}." in key]
        if loaded.unexpected_keys or missing:
            strange = [*loaded.unexpected_keys, *missing][0]
            raise AdapterDamaged(f"the adapter's weights do not fit the model: {strange}")

    @contextlib.contextmanager
    def _or_nothing(self) -> Iterator[None]:
        """Where the block fails, no adapter is on the model any more."""
        try:
            yield
        except BaseException as error:
            self.take_off()
            if isinstance(error, ValueError) and "arget modules" in str(error):
                mend = "name modules of the model, or 'all-linear'"
                raise InvalidInput("targets", "are not in the model", mend) from error
            if isinstance(error, ValueError) and "NaN" in str(error):
                raise AdapterDamaged("its weights are no numbers; drop it and train again") from error
            raise

    def show(self, name: str, *, is_training: bool = False) -> None:
        """Switch one adapter on, and all others off."""
        self.wrapped.base_model.enable_adapter_layers()
        self.wrapped.set_adapter(name, inference_mode=not is_training)

    def hide(self) -> None:
        """Switch all adapters off, and leave them on the model."""
        if self.wrapped is not None:
            self.wrapped.base_model.disable_adapter_layers()

    def remove(self, name: str) -> None:
        """Take one adapter off the model."""
        if self.names == [name]:
            self.take_off()
        elif name in self.names:
            self.wrapped.delete_adapter(name)

    def weights(self, name: str) -> dict[str, Tensor]:
        """An adapter's weights by `peft`'s names, on the CPU, as copies."""
        found = get_peft_model_state_dict(self.wrapped, adapter_name=name, save_embedding_layers=False)
        return {key: weight.detach().cpu().clone() for key, weight in found.items()}

    def config(self, name: str) -> LoraConfig:
        """An adapter's configuration, with the names of the modules that it was found to target."""
        found: LoraConfig = self.wrapped.peft_config[name]
        return found

    def merge(self, name: str) -> None:
        """Add an adapter to the model's weights, and take all adapters off.

        Raises:
            InvalidInput: the model's weights are quantised; adding to them would change more than was trained.
        """
        layers = [one for one in self.model.modules() if isinstance(one, BaseTunerLayer)]
        kept = [parameter for layer in layers for parameter in layer.get_base_layer().parameters()]
        if not all(parameter.is_floating_point() for parameter in kept):
            raise InvalidInput("model", "has quantised weights", "merge into the model in full precision")
        self._aside = [(parameter, parameter.data) for parameter in kept]
        self.merged = True
        with self._or_nothing():
            self.show(name)
            # `safe_merge` adds to copies of the weights: those kept aside stay as they are
            self.wrapped.merge_and_unload(safe_merge=True, adapter_names=[name])
            self._free()

    def take_off(self) -> None:
        """Take everything off: the model is what it was."""
        if self.wrapped is not None:
            self.wrapped.unload()
        for parameter, data in self._aside:
            parameter.data = data
        self._aside, self.merged = [], False
        self._free()

    def _free(self) -> None:
        """Forget `peft`'s model, and give back to each weight whether it wants a gradient."""
        self.wrapped = None
        if hasattr(self.model, "peft_config"):
            del self.model.peft_config
        for key, parameter in self.model.named_parameters():
            parameter.requires_grad_(self._wanting.get(key, parameter.requires_grad))
        self._wanting = {}


@contextlib.contextmanager
def quiet(model: nn.Module) -> Iterator[None]:
    """Within the block nothing is dropped out by chance; afterwards each module is in the mode that it was in."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Within the block chance begins at a seed; afterwards it goes on as if nothing had been drawn."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


def _config(entries: Mapping[str, Any], *, is_training: bool) -> LoraConfig:
    known = {**entries, "inference_mode": not is_training}
    try:
        made = PeftConfig.from_peft_type(**known)  # type: ignore[no-untyped-call]
    except (KeyError, TypeError, ValueError) as error:
        raise AdapterDamaged(f"the adapter's configuration cannot be read: {error}") from error
    if not isinstance(made, LoraConfig):
        raise AdapterDamaged(f"the adapter is no LoRA but {str(entries.get('peft_type'))[:20]}")
    return made
