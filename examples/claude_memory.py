"""Claude's memory tool on a Mnemos store: what Claude would command, done without a key."""

from mnemos import Mnemos
from mnemos.compat.claude_memory import ClaudeMemoryTool

with Mnemos(":memory:") as memory:
    tool = ClaudeMemoryTool(memory, user_id="ana")
    # with a key: anthropic.Anthropic().beta.messages.tool_runner(model=…, max_tokens=…, messages=…, tools=[tool])
    tool.call({"command": "create", "path": "/memories/diet.md", "file_text": "Ana is allergic to walnuts.\n"})
    print(tool.call({"command": "view", "path": "/memories"}))
    print(memory.search("What can Ana not eat?", user_id="ana")[0].memory.text)
