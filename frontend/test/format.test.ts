import { describe, expect, it } from "vitest";
import { amount, duration, isoDay, money } from "../src/format.js";

describe("money", () => {
  it("has more digits below ten cents", () => {
    expect(amount(1.5, "USD", "en-US")).toBe("$1.50");
    expect(amount(0.0002, "USD", "en-US")).toBe("$0.0002");
    expect(amount(0.000039, "EUR", "en-US")).toBe("€0.000039");
    expect(amount(0.000000001, "USD", "en-US")).toBe("$0.000000001");
    expect(amount(0, "USD", "en-US")).toBe("$0.00");
  });
  it("shows a currency that is not of ISO 4217", () => expect(amount(2, "CREDITS", "en-US")).toBe("2.00 CREDITS"));
  it("leaves out what cost nothing", () => {
    expect(money({ EUR: 0, USD: 2 }, "en-US")).toBe("$2.00");
    expect(money({}, "en-US")).toBe("");
  });
});

describe("duration", () => {
  it("chooses its unit", () => {
    expect(duration(340, "en")).toBe("340 ms");
    expect(duration(1240, "en")).toBe("1.2 sec");
    expect(duration(180_000, "en")).toBe("3 min");
  });
});

it("a day is that of the browser's time zone", () => expect(isoDay(new Date(2026, 0, 5, 23, 59))).toBe("2026-01-05"));
