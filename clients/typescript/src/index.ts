/** Finds the LLM providers of the local network and asks the best one, with failover. */

export type { Answer, Stream, ToolCall, Usage } from "./answers.ts";
export { type ChatOptions, Client, type ClientOptions, type ProviderEndpoint } from "./client.ts";
export { ApiError, NoProviderError } from "./errors.ts";
export type { Timeouts } from "./http.ts";
export type { ModelInfo } from "./models.ts";
export type { ProviderInfo } from "./provider.ts";
export type { Auth, Capability, Cost, Load, Placement } from "./record.ts";
export type { Message, Question } from "./request.ts";
export type { Piece } from "./thinking.ts";
