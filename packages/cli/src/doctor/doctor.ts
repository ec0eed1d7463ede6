import type { Command } from "commander";
import { perform, verb, type CommonOptions } from "../command.ts";
import { Failed } from "../failure.ts";
import { examine } from "./examine.ts";
import type { Finding } from "./finding.ts";

interface Options extends CommonOptions {
  dev?: boolean;
}

const shapes = { ok: "●", warn: "◐", fail: "○" } as const;

/** Findings for people: what is wrong carries its remedy on the next line. */
export function findingsText(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ name }) => name.length));
  return findings
    .map(({ name, state, detail, remedy }) => {
      const line = `${shapes[state]} ${state.padEnd(4)}  ${name.padEnd(width)}  ${detail}`;
      return remedy === undefined ? line : `${line}\n${" ".repeat(10 + width)}${remedy}`;
    })
    .join("\n");
}

/** `rbee doctor`: exit code 1 when something fails. */
export function doctor(parent: Command): void {
  verb(parent, "doctor", {
    summary: "check everything that rbee needs, and say how to mend what is wrong",
    examples: ["rbee doctor", "rbee doctor --json", "rbee doctor --dev"],
    queen: false,
  })
    .option("--dev", "check what the tests need, too")
    .action(async (options: Options) => {
      const interrupted = Promise.withResolvers<never>();
      let isInterrupted = false;
      await perform(options, async ({ env, answer, signal }) => {
        signal.addEventListener("abort", () => {
          isInterrupted = true;
          interrupted.reject(signal.reason);
        });
        const findings = await Promise.race([examine({ env, forTests: options.dev === true }), interrupted.promise]);
        answer(findings, () => findingsText(findings));
        if (findings.some(({ state }) => state === "fail")) throw new Failed();
      });
      // What is still being looked at would hold the process for as long as that takes.
      if (isInterrupted) process.exit();
    });
}
