"""A program written for mem0, with its import changed: one SQLite file, no key, no model."""

from mnemos.compat.mem0 import Memory

with Memory.from_config({"path": ":memory:"}) as memory:
    said = [
        {"role": "user", "content": "I'm planning dinner. I'm a vegetarian and allergic to nuts."},
        {"role": "assistant", "content": "I'll keep that in mind when I suggest recipes."},
    ]
    memory.add(said, user_id="alex", metadata={"topic": "food"})
    found = memory.search("What can Alex not eat?", filters={"user_id": "alex"}, top_k=1)
    print(found["results"][0]["memory"])
