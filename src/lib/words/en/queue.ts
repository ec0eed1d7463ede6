/** Who waits for an answer. */
export const queue = {
  title: "Queue",
  intro: "Who waits for an answer, in the order of their turn, and what is being answered now.",
  empty: { title: "Nobody waits", text: "Requests are answered as they come." },
  waiting: (count: number) => (count === 1 ? "1 waits" : `${count} wait`),
  running: (count: number) => (count === 1 ? "1 being answered" : `${count} being answered`),
  columns: { turn: "Turn", person: "Whose", lane: "Lane", waits: "Waits for", time: "Since", machine: "On" },
  you: "you",
  somebody: "somebody else",
  lanes: { interactive: "interactive", batch: "after the others" },
  waitsFor: { slot: "a free slot", model: "the model to load" },
  answering: "being answered",
  next: "next",
  cancel: {
    action: "Cancel",
    label: (whose: string, model: string) => `Cancel the request of ${whose} for ${model}`,
    title: "Cancel this request?",
    waiting: "It leaves the queue, and whoever sent it gets an error.",
    running: "The answer ends where it is, and its slot becomes free.",
    done: "The request is cancelled.",
  },
  stale: "The queue could not be read just now.",
};
