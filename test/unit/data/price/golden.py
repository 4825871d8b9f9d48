#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""golden - what LiteLLM makes of some calls: writes litellm.json and golden.tsv beside this file.

Run it where the package "litellm" can be imported (version 1.109.1 was). litellm.json are entries of
its table as they are (MIT license); golden.tsv has a line for each call: entry, provider, tokens
(prompt, completion, cached, written, written for an hour, reasoning, audio in, audio out), class of
service, and the cost in USD that its generic_cost_per_token() gives.
"""

import json
import os
from decimal import Decimal

os.environ['LITELLM_LOCAL_MODEL_COST_MAP'] = 'True'
import litellm
from litellm.litellm_core_utils.llm_cost_calc.utils import generic_cost_per_token
from litellm.types.utils import (CacheCreationTokenDetails, CompletionTokensDetailsWrapper,
                                 PromptTokensDetailsWrapper, Usage)

HERE = os.path.dirname(os.path.abspath(__file__))
KEYS = ('gpt-4o', 'gpt-4o-2024-05-13', 'gpt-4o-mini', 'gpt-4.1', 'gpt-4.1-nano', 'gpt-5', 'gpt-5-mini',
        'o3', 'gpt-4', 'gpt-3.5-turbo', 'text-embedding-3-small', 'gpt-audio', 'gpt-audio-mini',
        'claude-sonnet-4-5', 'claude-opus-4-1', 'claude-haiku-4-5', 'claude-opus-4-5',
        'anthropic.claude-sonnet-4-20250514-v1:0', 'anthropic.claude-sonnet-4-5-20250929-v1:0',
        'us.anthropic.claude-haiku-4-5-20251001-v1:0',
        'gemini/gemini-2.5-pro', 'gemini/gemini-2.5-flash', 'gemini-2.5-flash-lite',
        'deepseek/deepseek-chat', 'mistral/mistral-large-latest', 'groq/llama-3.3-70b-versatile',
        'dashscope/qwen-flash', 'dashscope/qwen3-max', 'dashscope/qwen-plus-2025-07-28',
        'azure/gpt-5.4', 'gpt-5.4', 'minimax/MiniMax-M3', 'xai/grok-4.3', 'xai/grok-3-mini',
        'cerebras/gpt-oss-120b', 'azure/eu/gpt-4o-realtime-preview-2024-12-17')
# prompt, completion, cached, written, 1h, reasoning, audio in, audio out
CALLS = ((1, 1, 0, 0, 0, 0, 0, 0), (1000, 500, 0, 0, 0, 0, 0, 0), (1000, 500, 400, 0, 0, 0, 0, 0),
         (1000, 500, 1000, 0, 0, 0, 0, 0), (5003, 507, 1001, 2003, 0, 0, 0, 0),
         (5003, 507, 1001, 2003, 503, 0, 0, 0), (777, 3333, 0, 0, 0, 2222, 0, 0),
         (777, 3333, 13, 0, 0, 3333, 0, 0), (900, 700, 0, 0, 0, 0, 300, 200),
         (128000, 10, 0, 0, 0, 0, 0, 0), (128001, 10, 7, 0, 0, 0, 0, 0),
         (200000, 999, 0, 0, 0, 0, 0, 0), (200001, 999, 100000, 0, 0, 100, 0, 0),
         (272000, 31, 3, 0, 0, 0, 0, 0), (272001, 31, 3, 50, 0, 0, 0, 0),
         (600001, 1, 0, 0, 0, 0, 0, 0), (123457, 0, 0, 0, 0, 0, 0, 0))
SERVICES = (None, 'flex', 'priority')


def cost(key, provider, call, service):
    prompt, completion, cached, written, hour, reasoning, heard, spoken = call
    usage = Usage(
        prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion,
        cache_read_input_tokens=cached, cache_creation_input_tokens=written,
        prompt_tokens_details=PromptTokensDetailsWrapper(
            cached_tokens=cached, audio_tokens=heard or None, cache_creation_tokens=written,
            cache_creation_token_details=CacheCreationTokenDetails(
                ephemeral_5m_input_tokens=written - hour,
                ephemeral_1h_input_tokens=hour) if written else None),
        completion_tokens_details=CompletionTokensDetailsWrapper(
            reasoning_tokens=reasoning or None, audio_tokens=spoken or None))
    parts = generic_cost_per_token(model=key, usage=usage, custom_llm_provider=provider,
                                   service_tier=service)
    return sum(Decimal(repr(part)) for part in parts)


def main():
    table = {key: litellm.model_cost[key] for key in KEYS if key in litellm.model_cost}
    raw = os.path.join(os.path.dirname(litellm.__file__),
                       'model_prices_and_context_window_backup.json')
    with open(raw, encoding='utf-8') as file:
        whole = json.load(file)
    with open(os.path.join(HERE, 'litellm.json'), 'w', encoding='utf-8') as out:
        json.dump({key: whole[key] for key in table}, out, indent=1)
        out.write('\n')
    with open(os.path.join(HERE, 'golden.tsv'), 'w', encoding='utf-8') as out:
        for key in table:
            row = whole[key]
            provider = row['litellm_provider']
            sounds = 'input_cost_per_audio_token' in row
            for call in CALLS:
                for service in SERVICES:
                    if service and 'input_cost_per_token_' + service not in row:
                        continue
                    if (call[6] and not sounds) or (call[3] and not row.get(
                            'cache_creation_input_token_cost')):
                        continue
                    usd = cost(key, provider, call, service)
                    out.write('\t'.join([key, provider] + [str(n) for n in call]
                                        + [service or 'standard', format(usd, 'f')]) + '\n')


main()
