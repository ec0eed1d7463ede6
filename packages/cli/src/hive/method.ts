import { resolve } from "node:path";
import { installMethodSchema, type InstallMethod } from "@rbee/contract";
import { Option, type Command } from "commander";
import { UsageError } from "../failure.ts";

/** How the agent gets onto a machine, as options. */
export interface MethodOptions {
  readonly method?: "bundle" | "git" | "binary";
  readonly repo?: string;
  readonly branch?: string;
  readonly path?: string;
}

/** Adds the options that choose a method. */
export function methodOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        "--method <name>",
        "bundle: the queen sends all that is needed; git: the machine clones and builds; binary: the queen sends an archive",
      ).choices(["bundle", "git", "binary"]),
    )
    .option("--repo <url>", "for git: what the machine clones")
    .option("--branch <name>", "for git: which branch or tag; main when left out")
    .option("--path <file>", "for binary: the archive (.tar.gz) on the queen's machine");
}

/**
 * The method that the options mean; undefined when they name none.
 * @throws {UsageError} when something is missing, or belongs to another method.
 */
export function methodFrom({ method, repo, branch, path }: MethodOptions, local: boolean): InstallMethod | undefined {
  const chosen = method ?? (repo === undefined ? (path === undefined ? undefined : "binary") : "git");
  if (chosen !== "git" && (repo !== undefined || branch !== undefined))
    throw new UsageError("--repo and --branch go with --method git.");
  if (chosen !== "binary" && path !== undefined) throw new UsageError("--path goes with --method binary.");
  if (chosen === undefined) return undefined;
  if (chosen === "bundle") return { bundle: {} };
  if (chosen === "git") {
    if (repo === undefined) throw new UsageError("--method git needs --repo.", "Name what the machine shall clone.");
    return checked({ git: { repo, branch: branch ?? "main" } });
  }
  if (path === undefined) throw new UsageError("--method binary needs --path.", "Name the archive to send.");
  return checked({ binary: { path: local ? resolve(path) : path } });
}

function checked(method: InstallMethod): InstallMethod {
  const { error, data } = installMethodSchema.safeParse(method);
  if (data !== undefined) return data;
  const { path, message } = error.issues[0] ?? { path: [], message: "is wrong" };
  const flag = { repo: "--repo", branch: "--branch", path: "--path" }[String(path.at(-1))] ?? "The method";
  throw new UsageError(`${flag} ${message}.`);
}

/** A method in a person's words. */
export function methodText(method: InstallMethod): string {
  if ("git" in method) return `git ${method.git.repo} ${method.git.branch}`;
  return "binary" in method ? `binary ${method.binary.path}` : "bundle";
}
