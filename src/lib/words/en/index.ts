import { account } from "./account.ts";
import { addMachine } from "./add-machine.ts";
import { apps } from "./apps.ts";
import { chat } from "./chat.ts";
import { docs } from "./docs.ts";
import { entry } from "./entry.ts";
import { frame } from "./frame.ts";
import { home } from "./home.ts";
import { jobs } from "./jobs.ts";
import { machines } from "./machines.ts";
import { models } from "./models.ts";
import { people } from "./people.ts";
import { queue } from "./queue.ts";
import { workers } from "./workers.ts";

export const en = {
  frame,
  entry,
  home,
  machines,
  workers,
  queue,
  addMachine,
  models,
  jobs,
  chat,
  apps,
  people,
  account,
  docs,
};
