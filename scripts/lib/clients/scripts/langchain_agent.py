"""LangChain: an agent with ChatOpenAI, and a checkpointer that keeps the conversation."""

# /// script
# requires-python = ">=3.12"
# dependencies = ["langchain==1.5.2", "langchain-openai==1.7.4", "langgraph"]
# ///

from common import AGAIN, GREETING, MODEL, READ, read_meter, show
from langchain.agents import create_agent
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.memory import InMemorySaver

agent = create_agent(ChatOpenAI(model=MODEL), tools=[read_meter], system_prompt="Answer briefly.", checkpointer=InMemorySaver())
for prompt in (GREETING, READ, AGAIN):
    thread = {"configurable": {"thread_id": "home"}}
    state = agent.invoke({"messages": [{"role": "user", "content": prompt}]}, thread)
    show(state["messages"][-1].text)
