"""Neural memory: layers that learn while they read.

Every layer follows one protocol (`memory.MemoryLayer`): `step` is the readable recurrence, `forward` the parallel form,
`start` a fresh state. `NeuralMemory` is one layer with four choices, and `presets` names published models among them.
"""
