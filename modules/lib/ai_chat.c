/* SPDX-License-Identifier: Apache-2.0 */
/* ai_chat.c - the words for endpoints and endings. */

#include "ai_chat.h"

const char *ai_endpoint_name(ai_endpoint_e endpoint)
{
    static const char *const names[] = {
        [AI_ENDPOINT_OTHER] = "other",           [AI_ENDPOINT_CHAT] = "chat",
        [AI_ENDPOINT_EMBEDDINGS] = "embeddings", [AI_ENDPOINT_MODELS] = "models",
        [AI_ENDPOINT_MODEL] = "model",           [AI_ENDPOINT_COUNT] = "count-tokens",
    };

    return names[endpoint];
}

const char *ai_finish_name(ai_finish_e finish)
{
    static const char *const names[] = {
        [AI_FINISH_NONE] = NULL,      [AI_FINISH_STOP] = "stop",     [AI_FINISH_LENGTH] = "length",
        [AI_FINISH_TOOL] = "tool",    [AI_FINISH_FILTER] = "filter", [AI_FINISH_ERROR] = "error",
        [AI_FINISH_CLIENT_ABORT] = "client-abort",
    };

    return names[finish];
}
