import { either, literal, sequence, type Expression, type GrammarBuilder } from "../grammar/gbnf.ts";
import type { ToolFormat } from "./tool-format.ts";

/** The most calls of one answer. */
const mostCalls = 16;

/** A tool with the expression of its arguments. */
export interface CallableTool {
  readonly name: string;
  readonly parameters: Expression;
}

/** A text in which white space stands for any little white space. */
function loose(text: string): Expression {
  const parts = text.split(/\s+/u).map((part) => (part === "" ? '""' : literal(part)));
  return sequence(...parts.flatMap((part, index) => (index === 0 ? [part] : ["[ \\n]{0,2}", part])));
}

/** Calls of these tools, one or more, as the format writes them: after their announcement, or from the beginning. */
export function callsExpression(
  grammar: GrammarBuilder,
  format: ToolFormat,
  tools: readonly CallableTool[],
  { parallel, leading }: { readonly parallel: boolean; readonly leading: boolean },
): Expression {
  const [before, between, after] = format.call;
  const calls = tools.map(({ name, parameters }) => sequence(literal(name), loose(between), grammar.rule(parameters)));
  const call = grammar.rule(sequence(loose(before), grammar.rule(either(calls)), loose(after)));
  const more =
    parallel && format.parallel ? grammar.repeat(sequence(loose(format.separator), call), 0, mostCalls - 1) : '""';
  const lead = leading ? literal(format.lead) : '""';
  return grammar.rule(sequence(lead, loose(format.open), call, more, loose(format.close)));
}
