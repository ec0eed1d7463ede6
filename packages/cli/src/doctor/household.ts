import { readFileSync } from "node:fs";
import { join } from "node:path";
import { apiVersion, hiveClient, toRbeeError, type FleetHive, type FleetSnapshot } from "@rbee/contract";
import type { Connection } from "../connection/connect.ts";
import { programVersion } from "../program-root.ts";
import { formatBytes, formatDuration } from "../terminal/format.ts";
import { fail, ok, warn, type Check, type Finding } from "./finding.ts";

const limitMs = 5_000;
const leastDiskMb = 2_000;
/** A clock that is off by more than this makes times in logs and joins misleading. Milliseconds. */
const mostSkewMs = 10_000;

/** The queen, and what she tells of the hives; a fleet only when she lets us see it. */
export async function askQueen(
  connection: Connection | undefined,
): Promise<{ findings: readonly Finding[]; fleet: FleetSnapshot | undefined }> {
  const name = "queen";
  if (connection === undefined)
    return {
      findings: [
        warn(name, "does not run on this machine", "Start her with `npm start`, or use `rbee login` elsewhere."),
      ],
      fleet: undefined,
    };
  const { client, url } = connection;
  try {
    const { version, ready } = await client.health({ timeoutMs: limitMs });
    const here = programVersion();
    const running =
      version === here
        ? ok(name, `runs at ${url} (rbee ${version})`)
        : warn(name, `runs at ${url} as rbee ${version}; this is ${here}`, "Restart her, so that both are the same.");
    if (!ready)
      return {
        findings: [running, warn("administrator", "there is none yet", `Open ${url} and follow the first page.`)],
        fleet: undefined,
      };
    try {
      return { findings: [running], fleet: await client.fleet({ timeoutMs: limitMs }) };
    } catch (thrown) {
      const { message, suggestion } = toRbeeError(thrown);
      const refused = warn(
        "hives",
        `the queen does not tell of them: ${message}`,
        suggestion ?? "Log in with `rbee login`.",
      );
      return { findings: [running, refused], fleet: undefined };
    }
  } catch (thrown) {
    const { message, suggestion } = toRbeeError(thrown);
    const remedy = suggestion ?? "Look at her log in the data folder, then start her again.";
    return { findings: [fail(name, `does not answer at ${url}: ${message}`, remedy)], fleet: undefined };
  }
}

function gpuOf({ capabilities }: FleetHive, name: string): Finding[] {
  if (capabilities === null) return [];
  const { devices, backends } = capabilities;
  const idle = devices.filter(({ backend }) => backend !== "cpu" && !backends.includes(backend));
  if (idle.length === 0 || backends.some((backend) => backend !== "cpu")) return [];
  return [
    warn(
      name,
      `${idle.map((device) => device.name).join(", ")} cannot be used: its engine has no build for it`,
      "`rbee hive upgrade` sends one; the queen's own hive has none (install a hive there over SSH instead).",
    ),
  ];
}

/** Programs that were found there and do not do what they are for. */
function brokenEngines({ capabilities }: FleetHive, name: string): Finding[] {
  return (capabilities?.engine_facts ?? []).flatMap(({ engine, where, problem }) =>
    problem === null || where === null
      ? []
      : [
          warn(
            name,
            `its ${engine} cannot be used: ${problem}`,
            "Mend or remove that program, or name another by RBEE_LLAMA_SERVER there; models run without it too.",
          ),
        ],
  );
}

/** Asks a hive from here: it may answer us and not the queen, or the other way round. */
async function reached(hive: FleetHive, name: string): Promise<Finding[]> {
  if (hive.address === null) return [];
  try {
    const askedAt = Date.now();
    const answer = await fetch(`http://${hive.address}/health`, { signal: AbortSignal.timeout(limitMs) });
    const told = Date.parse(answer.headers.get("date") ?? "");
    const health = (await answer.json()) as { api_version?: string };
    if (health.api_version !== apiVersion)
      return [
        fail(
          name,
          `speaks protocol ${health.api_version ?? "unknown"}, not ${apiVersion}`,
          "Upgrade it: `rbee hive upgrade`.",
        ),
      ];
    const skewMs = Number.isNaN(told) ? 0 : Math.abs(told - (askedAt + Date.now()) / 2);
    return skewMs > mostSkewMs
      ? [
          warn(
            name,
            `its clock is ${formatDuration(skewMs)} off`,
            "Set its time, best by NTP (`timedatectl set-ntp true`).",
          ),
        ]
      : [];
  } catch {
    return [
      warn(name, `does not answer at ${hive.address} from here`, "Check its firewall, and that it is on this network."),
    ];
  }
}

async function hiveFindings(hive: FleetHive, queenVersion: string): Promise<readonly Finding[]> {
  const name = `hive ${hive.name}`;
  const log = `\`rbee hive logs ${hive.name}\` shows its log`;
  if (hive.health === "down")
    return [fail(name, "stopped answering", `Switch it on or \`rbee hive start ${hive.name}\`; ${log}.`)];
  if (hive.health === "starting") return [warn(name, "has not answered yet", `Wait a moment; ${log}.`)];
  const wrong: Finding[] = [];
  if (hive.problem !== null) wrong.push(fail(name, hive.problem.message, hive.problem.suggestion ?? `${log}.`));
  if (hive.health === "degraded")
    wrong.push(warn(name, "answers late", "Its network or its processor may be overloaded."));
  if (hive.version !== null && hive.version !== queenVersion)
    wrong.push(
      warn(name, `runs rbee ${hive.version}, the queen ${queenVersion}`, `\`rbee hive upgrade ${hive.name}\``),
    );
  const freeMb = hive.capabilities?.disk_free_mb ?? null;
  if (freeMb !== null && freeMb < leastDiskMb)
    wrong.push(
      warn(name, `only ${formatBytes(freeMb * 1_048_576)} free on its disk`, "Delete a model there: `rbee model rm`."),
    );
  for (const { model, state, error } of hive.workers)
    if (state === "failed")
      wrong.push(warn(name, `${model} failed: ${error?.message ?? "unknown why"}`, error?.suggestion ?? `${log}.`));
  wrong.push(...gpuOf(hive, name), ...brokenEngines(hive, name), ...(await reached(hive, name)));
  if (wrong.length > 0) return wrong;
  const models = hive.capabilities?.models.length ?? 0;
  const engines = (hive.capabilities?.engine_facts ?? []).flatMap(({ engine, version, problem }) =>
    problem === null && version !== null ? [`, ${engine} ${version}`] : [],
  );
  const what = `${models} ${models === 1 ? "model" : "models"}${engines.join("")}`;
  return [ok(name, `${hive.health}, rbee ${hive.version ?? "?"}, ${what}`)];
}

/** Every hive as the queen sees it, and asked from here. */
export function hiveChecks(fleet: FleetSnapshot | undefined): readonly Check[] {
  if (fleet === undefined) return [];
  if (fleet.hives.length === 0)
    return [
      {
        name: "hives",
        look: () => warn("hives", "no machine has joined", "`rbee hive install HOST` makes a machine a hive."),
      },
    ];
  return fleet.hives.map((hive) => ({
    name: `hive ${hive.name}`,
    look: () => hiveFindings(hive, fleet.queen.version),
  }));
}

function localToken(hiveHome: string): string | undefined {
  try {
    const told = JSON.parse(readFileSync(join(hiveHome, "hive.json"), "utf8")) as { hive_token?: unknown };
    return typeof told.hive_token === "string" ? told.hive_token : undefined;
  } catch {
    return undefined;
  }
}

/** The hive of this machine and its models, those that cannot be started included: only the hive itself knows those. */
export function localHiveChecks(facts: {
  hiveHome: string;
  isWanted: boolean;
  /** The fleet's hives, to find where this one listens. */
  fleet: FleetSnapshot | undefined;
  port: number;
  running: boolean;
}): readonly Check[] {
  const { hiveHome, isWanted, fleet, running } = facts;
  if (!isWanted || !running) return [];
  const token = localToken(hiveHome);
  const address =
    fleet?.hives.find(({ enrolment }) => enrolment === "local")?.address ??
    (facts.port === 0 ? null : `127.0.0.1:${facts.port}`);
  return [
    {
      name: "local hive",
      look: async () => {
        const name = "local hive";
        const remedy = "`rbee logs --node` with its name shows its log; restarting rbee starts it again.";
        if (token === undefined || address === null)
          return warn(name, "has not started yet", "Wait a moment and try again.");
        const client = hiveClient({ baseUrl: `http://${address}`, token, name: "The local hive", timeoutMs: limitMs });
        try {
          await client.health();
          const { data } = await client.listModels();
          const broken = data.filter(({ state }) => state !== "ready");
          const sound = data.length - broken.length;
          return [
            ok(name, `answers at ${address}`),
            ok("models", `${sound} can be started`),
            ...broken.map(({ id, state, problem }) =>
              warn(
                "models",
                `${id} is ${state}: ${problem ?? "unknown why"}`,
                `Get it again with \`rbee model pull\`, or \`rbee model rm ${id}\`.`,
              ),
            ),
          ];
        } catch (thrown) {
          return fail(name, toRbeeError(thrown).message, remedy);
        }
      },
    },
  ];
}
