"""Neural memory: layers that learn while they read.

Every layer follows one protocol (`MemoryLayer`): `step` is the readable recurrence, `forward` the parallel form,
`start` a fresh state. `NeuralMemory` is one layer with four choices; `presets` names published models among them.
"""

from mnemos.neural.layer import NeuralMemory, NeuralState
from mnemos.neural.memory import MemoryLayer, State
from mnemos.neural.presets import PRESETS, preset

__all__ = ["PRESETS", "MemoryLayer", "NeuralMemory", "NeuralState", "State", "preset"]
