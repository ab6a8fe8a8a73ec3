"""smolagents: a ToolCallingAgent, which answers by the tool `final_answer`."""

# /// script
# requires-python = ">=3.12"
# dependencies = ["smolagents[openai]==1.26.0"]
# ///

from common import AGAIN, BASE_URL, GREETING, KEY, MODEL, READ, read_meter, show
from smolagents import OpenAIServerModel, ToolCallingAgent, tool

agent = ToolCallingAgent(
    tools=[tool(read_meter)], model=OpenAIServerModel(model_id=MODEL, api_base=f"{BASE_URL}/v1", api_key=KEY), verbosity_level=0
)
for prompt in (GREETING, READ, AGAIN):
    show(agent.run(prompt, reset=False))
