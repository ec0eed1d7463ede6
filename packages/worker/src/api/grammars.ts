import { RbeeError, type ChatRequest, type Tool } from "@rbee/contract";
import type { Engine, Grammar } from "../engine/engine.ts";
import { either, GrammarBuilder, literal, longestGrammar, sequence, type Expression } from "../grammar/gbnf.ts";
import { repeatsEmpty } from "../grammar/gbnf-check.ts";
import { objectExpression, schemaExpression } from "../grammar/json-schema.ts";
import { SchemaProblem } from "../grammar/schema-problem.ts";
import { taggedExpression } from "../tools/tagged-grammar.ts";
import { callsExpression, type CallableTool } from "../tools/tool-grammar.ts";
import type { ToolFormat } from "../tools/tool-format.ts";

/** The tools that an answer may call, and whether it must. */
export interface ToolUse {
  readonly format: ToolFormat;
  readonly tools: readonly Tool[];
  readonly forced: boolean;
  readonly parallel: boolean;
}

/**
 * A grammar that the client wrote.
 * @throws {RbeeError} `invalid_request`.
 */
export function clientGrammar(engine: Engine, text: string): Grammar {
  const repeats = repeatsEmpty(text);
  // What cannot be checked is never handed to the library, valid or not.
  if (repeats === null) {
    throw new RbeeError("invalid_request", "`grammar`: cannot be read as a grammar in llama.cpp's GBNF.", {
      param: "grammar",
      suggestion: "Check that all quotes, brackets and counts are closed, and write no comments into counts.",
    });
  }
  if (repeats) {
    throw new RbeeError("invalid_request", "`grammar`: repeats something that may be empty.", {
      param: "grammar",
      suggestion: "Write what is repeated so that it has at least one character each time.",
    });
  }
  return readGrammar(engine, text, "grammar");
}

function readGrammar(engine: Engine, text: string, param: string): Grammar {
  try {
    return engine.readGrammar(text);
  } catch (cause) {
    throw new RbeeError("invalid_request", `\`${param}\`: is not a grammar in llama.cpp's GBNF with a rule \`root\`.`, {
      param,
      suggestion: "Check that every rule is defined, none begins with itself and all quotes and brackets are closed.",
      cause,
    });
  }
}

function refused(problem: SchemaProblem, field: string): RbeeError {
  const param = `${field}${problem.place}`;
  return new RbeeError("invalid_request", `\`${param}\`: ${problem.message}.`, {
    param,
    suggestion: "Leave it out and check the answer yourself, or say the same in another way.",
  });
}

function schemaOf(grammar: GrammarBuilder, schema: unknown, field: string): Expression {
  try {
    return schemaExpression(grammar, schema);
  } catch (error) {
    throw error instanceof SchemaProblem ? refused(error, field) : error;
  }
}

function answerExpression(grammar: GrammarBuilder, format: NonNullable<ChatRequest["response_format"]>): Expression {
  if (format.type === "json_schema")
    return schemaOf(grammar, format.json_schema.schema, "response_format.json_schema.schema");
  if (format.type === "json_object" && format.schema !== undefined)
    return schemaOf(grammar, format.schema, "response_format.schema");
  return objectExpression(grammar);
}

/**
 * The arguments of a call. What a grammar cannot say of them is refused where arguments were promised to match, and
 * left to the model where it may choose: half of a schema is better than a tool that cannot be used.
 */
function parametersExpression(
  grammar: GrammarBuilder,
  { format }: ToolUse,
  tool: Tool,
  index: number,
  exact: boolean,
): Expression {
  const { parameters } = tool.function;
  const schema = { type: "object", ...(parameters ?? { properties: {} }) };
  const write = format.arguments === "json" ? schemaExpression : taggedExpression;
  try {
    return write(grammar, schema, { lenient: !exact });
  } catch (error) {
    if (!(error instanceof SchemaProblem)) throw error;
    if (!exact && format.arguments === "json") return objectExpression(grammar);
    throw refused(error, `tools[${index}].function.parameters`);
  }
}

function callable(grammar: GrammarBuilder, use: ToolUse, all: readonly Tool[]): CallableTool[] {
  return use.tools.map((tool) => ({
    name: tool.function.name,
    parameters: parametersExpression(
      grammar,
      use,
      tool,
      all.indexOf(tool),
      use.forced || tool.function.strict === true,
    ),
  }));
}

function finished(engine: Engine, builder: GrammarBuilder, root: Expression, param: string): Grammar {
  const text = builder.text(root);
  if (text.length > longestGrammar)
    throw new RbeeError("invalid_request", `\`${param}\`: is too large to be enforced.`, { param });
  return readGrammar(engine, text, param);
}

/** How an answer is held to what was asked for. */
export interface AnswerGrammar {
  /** What all of the answer must match, after its thoughts; null for anything. */
  readonly whole: Grammar | null;
  /** What it must match once it calls a tool; null when `whole` says all, or there are no tools. */
  readonly calls: Grammar | null;
}

/**
 * Makes the grammars of a chat request. `lead` is what the model writes before what a person sees.
 * @throws {RbeeError} `invalid_request`, which names what cannot be enforced and where it stands.
 */
export function answerGrammar(engine: Engine, request: ChatRequest, use: ToolUse | null, lead: string): AnswerGrammar {
  if (request.grammar !== undefined) return { whole: clientGrammar(engine, request.grammar), calls: null };
  const format = request.response_format ?? { type: "text" };
  const builder = new GrammarBuilder();
  const leading = use?.forced === true || format.type !== "text";
  const calls =
    use === null
      ? null
      : callsExpression(builder, use.format, callable(builder, use, request.tools ?? []), {
          parallel: use.parallel,
          leading,
        });
  if (calls !== null && use?.forced === true) return { whole: finished(engine, builder, calls, "tools"), calls: null };
  if (format.type !== "text") {
    const answer = sequence(literal(lead), answerExpression(builder, format));
    const root = calls === null ? answer : either([answer, calls]);
    return { whole: finished(engine, builder, root, "response_format"), calls: null };
  }
  return { whole: null, calls: calls === null ? null : finished(engine, builder, calls, "tools") };
}
