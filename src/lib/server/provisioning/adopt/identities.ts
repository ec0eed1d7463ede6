import { hiveIdSchema, hiveTokenSchema, RbeeError } from "@rbee/contract";
import { secrets } from "@rbee/jobs";
import * as z from "zod";
import { exec, type SshConnection } from "../ssh/index.ts";

const hiveFileSchema = z.object({
  hive_id: hiveIdSchema,
  hive_token: hiveTokenSchema,
  queen_url: z.string().max(2_000).optional(),
});

/** Who a hive of that account is, from its `hive.json`. */
export interface HiveIdentity {
  readonly hiveId: string;
  readonly token: string;
  /** The queen that it reports to. */
  readonly queenUrl: string | null;
  /** The hive's data folder on that machine. */
  readonly home: string;
}

/** What was found of hives on a machine. */
export interface FoundIdentities {
  readonly identities: readonly HiveIdentity[];
  /** Files that are there, with why they are of no use. */
  readonly unusable: readonly string[];
}

const lookLimitMs = 20_000;
const usualHome = ".local/share/rbee/hive";
const mostBytes = 8_192;

/**
 * Prints `folder<TAB>how` and then the file, as one line of hexadecimal, for each folder where a hive of this account may
 * keep its data: the usual one, and those that running hives name in their environment or on their command line.
 */
const script = `folders=$(
  printf '%s\\n' "\${XDG_DATA_HOME:-$HOME/.local/share}/rbee/hive" "$HOME/${usualHome}"
  for process in /proc/[0-9]*; do
    [ -r "$process/environ" ] || continue
    line=$(tr '\\0' '\\n' 2>/dev/null <"$process/cmdline") || continue
    case $line in *rbee-hive*|*packages/hive/*) ;; *) continue ;; esac
    printf '%s\\n' "$line" | sed -n '/^--home$/{n;p;}; s/^--home=//p'
    tr '\\0' '\\n' 2>/dev/null <"$process/environ" | sed -n 's/^RBEE_HIVE_HOME=//p; s|^RBEE_HOME=\\(.*\\)|\\1/hive|p; s|^XDG_DATA_HOME=\\(.*\\)|\\1/rbee/hive|p'
  done
)
printf '%s\\n' "$folders" | awk 'NF && !seen[$0]++' | head -n 20 | while IFS= read -r folder; do
  file=$folder/hive.json
  [ -e "$file" ] || continue
  if [ ! -r "$file" ]; then printf '%s\\tdenied\\n' "$folder"; continue; fi
  size=$(wc -c <"$file") || continue
  if [ "$size" -gt ${mostBytes} ]; then printf '%s\\ttoo large\\n' "$folder"; continue; fi
  printf '%s\\tread\\t' "$folder"; od -An -v -tx1 <"$file" | tr -d ' \\n'; echo
done`;

/**
 * Looks for the identities of hives that the account may read. Their tokens are hidden from narration from here on.
 * @throws {RbeeError} as running a command there does
 */
export async function readIdentities(connection: SshConnection, signal: AbortSignal): Promise<FoundIdentities> {
  const { stdout } = await exec(connection, script, { name: "look for hives", signal, timeoutMs: lookLimitMs });
  const identities: HiveIdentity[] = [];
  const unusable: string[] = [];
  for (const line of stdout.split("\n")) {
    const [home = "", how = "", hex = ""] = line.split("\t");
    if (how === "denied") unusable.push(`${home}/hive.json may not be read by ${connection.target.user}`);
    else if (how === "too large") unusable.push(`${home}/hive.json is too large to be one`);
    else if (how === "read") {
      const file = parsed(Buffer.from(hex, "hex").toString("utf8"));
      if (file === undefined) unusable.push(`${home}/hive.json is damaged`);
      else {
        secrets.register(file.hive_token);
        const { hive_id: hiveId, hive_token: token, queen_url: queenUrl = null } = file;
        identities.push({ hiveId, token, queenUrl, home });
      }
    }
  }
  return { identities, unusable };
}

function parsed(text: string): z.infer<typeof hiveFileSchema> | undefined {
  try {
    return hiveFileSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** The error for a machine on which no identity can be read. */
export function noIdentity(target: string, user: string, { unusable }: FoundIdentities): RbeeError {
  if (unusable.length > 0)
    return new RbeeError("forbidden", `The hive on ${target} cannot be adopted: ${unusable.join("; ")}.`, {
      details: { target, unusable },
      suggestion: "Sign in as the account that runs the hive, or let it join with `rbee hive token create`.",
    });
  return new RbeeError("hive_unreachable", `${user} has no hive on ${target}: there is no hive.json.`, {
    details: { target },
    suggestion: `Install one with \`rbee hive install ${target}\`, or sign in as the account that runs the hive.`,
  });
}
