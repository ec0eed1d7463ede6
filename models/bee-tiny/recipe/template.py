#!/usr/bin/env python3
"""The chat template of bee-tiny, and a way to change it in a finished file:  template.py bee-tiny-q8_0.gguf

ChatML. Tools are told to the model in the system message as JSON, one a line; it calls them with JSON inside <tool_call>
tags, as Hermes and Qwen models do. Without tools a prompt is what the model was trained on. The model has never seen a
tool: that its calls are well-formed is the work of a grammar alone.
"""
import struct, sys

TEMPLATE = (
    "{% if tools %}{{ '<|im_start|>system\\n' }}"
    "{% if messages[0]['role'] == 'system' %}{{ messages[0]['content'] + '\\n\\n' }}{% endif %}"
    "{{ 'Tools:' }}{% for tool in tools %}{{ '\\n' + (tool['function'] | tojson) }}{% endfor %}"
    "{{ '\\nTo call one, write <tool_call>\\n{\"name\": ..., \"arguments\": ...}\\n</tool_call>.<|im_end|>\\n' }}{% endif %}"
    "{% for message in messages %}"
    "{% if tools and loop.first and message['role'] == 'system' %}"
    "{% elif message['role'] == 'tool' %}"
    "{{ '<|im_start|>user\\n<tool_response>\\n' + message['content'] + '\\n</tool_response><|im_end|>\\n' }}"
    "{% elif message['tool_calls'] %}"
    "{{ '<|im_start|>assistant\\n' + message['content'] }}"
    "{% for call in message['tool_calls'] %}"
    "{{ '<tool_call>\\n{\"name\": \"' + call['function']['name'] + '\", \"arguments\": ' + (call['function']['arguments'] | tojson) + '}\\n</tool_call>' }}"
    "{% if not loop.last %}{{ '\\n' }}{% endif %}{% endfor %}{{ '<|im_end|>\\n' }}"
    "{% else %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)

KEY, ALIGNMENT = b"tokenizer.chat_template", 32
SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}  # GGUF value types of fixed size
STRING, ARRAY = 8, 9


def string_end(data, at):
    return at + 8 + struct.unpack_from("<Q", data, at)[0]


def value_end(data, at, kind):
    if kind == STRING: return string_end(data, at)
    if kind != ARRAY: return at + SIZES[kind]
    inner, count = struct.unpack_from("<IQ", data, at)
    at += 12
    for _ in range(count): at = value_end(data, at, inner)
    return at


def with_template(data, template):
    tensors, pairs = struct.unpack_from("<QQ", data, 8)
    at, place = 24, None
    for _ in range(pairs):
        end = string_end(data, at)
        key, kind = data[at + 8:end], struct.unpack_from("<I", data, end)[0]
        at = value_end(data, end + 4, kind)
        if key == KEY: place = (end + 4, at)
    for _ in range(tensors):
        at = string_end(data, at)
        at += 4 + 8 * struct.unpack_from("<I", data, at)[0] + 4 + 8
    weights = at + -at % ALIGNMENT
    text = template.encode()
    head = data[:place[0]] + struct.pack("<Q", len(text)) + text + data[place[1]:at]
    return head + b"\0" * (-len(head) % ALIGNMENT) + data[weights:]


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as f: changed = with_template(f.read(), TEMPLATE)
    with open(sys.argv[1], "wb") as f: f.write(changed)
