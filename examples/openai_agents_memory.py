"""An OpenAI Agents SDK agent whose conversations are remembered. A scripted model answers, so no key is needed."""

from agents import Agent, RunConfig, Runner
from agents.testing import ScriptedModel, assistant_message

from mnemos import Mnemos
from mnemos.compat.openai_agents import MnemosSession

with Mnemos(":memory:") as memory:  # or a file: Mnemos("ana.db")
    model = ScriptedModel([[assistant_message("Noted.")]])  # with a key: leave model= out of Agent
    session = MnemosSession("monday", memory, user_id="ana")
    agent = Agent(name="Assistant", model=model)
    Runner.run_sync(agent, "I am allergic to walnuts.", session=session, run_config=RunConfig(tracing_disabled=True))
    print(memory.search("Which nuts should Ana avoid?", user_id="ana")[0].memory.text)
