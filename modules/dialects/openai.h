/* SPDX-License-Identifier: Apache-2.0 */
/* openai.h - what the files of OpenAI's dialect share; see ai_dialect_t for what each does. */
#ifndef OPENAI_H
#define OPENAI_H

#include "dialect.h"

/* openai_events.c */
ai_event_e ai_openai_read_event(apr_pool_t *event_pool, ai_stream_t *stream,
                                const ai_sse_event_t *event);
extern const char *const ai_openai_answer_members[];
void ai_openai_read_answer(ai_endpoint_e ep, const ai_pick_t *pick, ai_usage_t *usage,
                           ai_finish_e *finish);

/* openai_reserve.c: reads into ask how much an answer may have, and whether the prompt's bytes bound
 * it. doc->root is an object. */
void ai_openai_reserve(ai_endpoint_e ep, const ai_json_doc_t *doc, ai_ask_t *ask);

#endif
