"""A home with providers and without a gateway is updated: its totals were stored only in restored states."""

from dataclasses import replace
from pathlib import Path

from devhome.namespaces import Lan

from .installation import Installation
from .steps import DOMAIN
from .updated_home import updated_home

COMPLETE = Installation.of("e5b26fc")
BEFORE = COMPLETE.without(COMPLETE.expected["gateway"])
OFFICE, ATTIC = (entry["entry_id"] for entry in BEFORE.entries())


async def test_update_without_gateway_keeps_totals_and_counts_on(lan: Lan, tmp_path: Path) -> None:
    async with updated_home(lan, tmp_path / "config", BEFORE) as updated:
        await updated.until_totals({})
        assert not [line for line in updated.home.complaints() if DOMAIN in line]

        assert await updated.says("conversation.custom_127_0_0_1_agent") == "Hello from the office."
        chat = {"prompt": "Hello", "config_entry_id": ATTIC}
        answer = await updated.client.call_service(DOMAIN, "chat", chat, response=True)
        assert answer["text"] == "Hello from the attic."
        office = {"requests": 1, "tokens_in": 12, "tokens_out": 3, "tokens_cached": 4, "cost_total": 0.0002}
        attic = {"requests": 1, "tokens_in": 12, "tokens_out": 3}
        added = {f"{OFFICE}_{measure}": amount for measure, amount in office.items()}
        added |= {f"{ATTIC}_{measure}": amount for measure, amount in attic.items()}
        await updated.until_totals(added)
        await updated.compile_statistics()
        wrong = await updated.wrong_sums(added)
        assert not wrong, f"(sum, expected): {wrong}"

        assert await updated.home.stop() == 0
        await updated.home.start()
        async with updated.home.client() as client:
            again = replace(updated, client=client)
            await again.until_loaded()
            await again.until_totals(added)
