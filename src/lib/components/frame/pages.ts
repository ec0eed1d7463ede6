import type { Role } from "@rbee/contract";
import Boxes from "@lucide/svelte/icons/boxes";
import ChartColumn from "@lucide/svelte/icons/chart-column";
import Cpu from "@lucide/svelte/icons/cpu";
import House from "@lucide/svelte/icons/house";
import ListChecks from "@lucide/svelte/icons/list-checks";
import KeyRound from "@lucide/svelte/icons/key-round";
import MessageSquare from "@lucide/svelte/icons/message-square";
import Settings from "@lucide/svelte/icons/settings";
import UserRound from "@lucide/svelte/icons/user-round";
import Layers from "@lucide/svelte/icons/layers";
import ListOrdered from "@lucide/svelte/icons/list-ordered";
import Users from "@lucide/svelte/icons/users";
import BookOpen from "@lucide/svelte/icons/book-open";
import { words } from "#lib/words/index.ts";

const names = words.frame.pages;

export interface PageEntry {
  href: `/${string}`;
  name: string;
  icon: typeof House;
  /** Another address that belongs to it. */
  also?: `/${string}`;
}

const entries = {
  home: { href: "/", name: names.home, icon: House },
  chat: { href: "/chat", name: names.chat, icon: MessageSquare },
  models: { href: "/models", name: names.models, icon: Boxes, also: "/hub" },
  machines: { href: "/machines", name: names.machines, icon: Cpu },
  workers: { href: "/workers", name: names.workers, icon: Layers },
  queue: { href: "/queue", name: names.queue, icon: ListOrdered },
  jobs: { href: "/jobs", name: names.jobs, icon: ListChecks },
  apps: { href: "/apps", name: names.apps, icon: KeyRound },
  people: { href: "/people", name: names.people, icon: Users },
  usage: { href: "/usage", name: names.usage, icon: ChartColumn },
  settings: { href: "/settings", name: names.settings, icon: Settings },
  account: { href: "/account", name: names.account, icon: UserRound },
  docs: { href: "/docs", name: names.docs, icon: BookOpen },
} satisfies Record<string, PageEntry>;

/** The rail: what a person with this role may open, the most used first. */
export function railOf(role: Role): readonly PageEntry[] {
  const { home, chat, models, machines, workers, queue, jobs, apps, people, usage, settings } = entries;
  return role === "admin"
    ? [home, chat, models, machines, workers, queue, jobs, apps, people, usage, settings]
    : [chat, queue, apps, usage, models, machines];
}

/** Every page for the command palette. */
export function allPagesOf(role: Role): readonly PageEntry[] {
  return [...railOf(role), entries.account, entries.docs];
}

/** How many entries of the rail the bottom bar of a phone shows before "More". */
export const bottomEntries = 4;

export function isCurrent(entry: PageEntry, pathname: string): boolean {
  const isAt = (href: string) => pathname === href || pathname.startsWith(`${href}/`);
  return entry.href === "/" ? pathname === "/" : isAt(entry.href) || (entry.also !== undefined && isAt(entry.also));
}
