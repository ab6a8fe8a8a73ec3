"""One of several gateways, in a separate process: sends many concurrent requests and prints their cost."""

import asyncio
import sys
import time

from zeroconf_ai.accounting.admission import AdmissionRequest
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.accounting.usage.generation import Generation, Outcome
from zeroconf_ai.protocol.errors import QuotaError


async def one(store: AccountingStore, number: int, worst: int) -> int:
    """The nano-units that a request cost; 0 for one that was refused."""
    try:
        admission = await store.admission_control.admit(
            AdmissionRequest("http", "chat", "m", key_id="k", worst_costs={"cloud": worst})
        )
    except QuotaError:
        return 0
    await asyncio.sleep(0)
    cost = worst * (50 + number) // 100
    generation = Generation(
        f"g{number}", time.time(), "http", "chat", "m", Outcome.OK, model="m", backend_id="cloud", key_id="k", cost=cost
    )
    admission.reconcile(generation)
    store.ledger.record(generation)
    return cost


async def main(url: str, count: int, worst: int) -> None:
    """Ready is said when all is open; a line on the standard input is the start."""
    store = await AccountingStore.open(url)
    try:
        print("ready", flush=True)  # noqa: T201
        await asyncio.to_thread(sys.stdin.readline)
        costs = await asyncio.gather(*(one(store, number, worst) for number in range(count)))
    finally:
        await store.close()
    print(sum(costs), sum(cost > 0 for cost in costs), flush=True)  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
