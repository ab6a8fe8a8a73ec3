import type { ChatMessage, Conversation, ConversationEvent } from "../api/chat.js";

/** The conversation after an event of its home. */
export function applied(conversation: Conversation | null, event: ConversationEvent): Conversation | null {
  if (event.type === "conversation") {
    const { id, title, messages, running } = event;
    return { id, title, messages, running };
  }
  if (conversation === null) return null;
  switch (event.type) {
    case "message": {
      const messages = placed(conversation.messages, event.message, event.before);
      const { id } = event.message;
      const running = event.running ? id : conversation.running === id ? null : conversation.running;
      return { ...conversation, messages, running };
    }
    case "delta":
      return changed(conversation, event.id, (message) => ({
        ...message,
        content: message.content + event.content,
        details: event.thinking
          ? { ...message.details, thinking: (message.details.thinking ?? "") + event.thinking }
          : message.details,
      }));
    case "text":
      return changed(conversation, event.id, (message) => ({
        ...message,
        content: event.content,
        details: { ...message.details, thinking: event.thinking },
      }));
    case "tools":
      return changed(conversation, event.id, (message) => ({
        ...message,
        details: { ...message.details, tools: event.tools },
      }));
    case "reached":
      return changed(conversation, event.id, (message) => ({
        ...message,
        details: { ...message.details, backend_id: event.backend_id, backend: event.backend, model: event.model },
      }));
  }
}

/** The messages with one that replaces the one with its id, or is new: before another one, or at the end. */
function placed(messages: ChatMessage[], message: ChatMessage, before?: string): ChatMessage[] {
  if (messages.some((one) => one.id === message.id)) {
    return messages.map((one) => (one.id === message.id ? message : one));
  }
  const at = messages.findIndex((one) => one.id === before);
  return at < 0 ? [...messages, message] : messages.toSpliced(at, 0, message);
}

function changed(conversation: Conversation, id: string, change: (message: ChatMessage) => ChatMessage): Conversation {
  return {
    ...conversation,
    messages: conversation.messages.map((message) => (message.id === id ? change(message) : message)),
  };
}
