/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_models_record.h - one record of the models' abilities, from JSON.
 *
 * Private to ai_models*.c.
 */
#ifndef AI_MODELS_RECORD_H
#define AI_MODELS_RECORD_H

#include "ai_models.h"

/* The longest pattern, and the longest name of a model that is looked up. */
#define AI_MODELS_NAME 200

/* Nothing is known. */
extern const ai_ability_t ai_ability_unknown;

/*
 * Reads the members of object (checked JSON) into ability; all text is copied to p. Returns NULL,
 * or what is wrong ("context: ..."), in p; ability->match is set then as far as it was good.
 */
const char *ai_models_record(apr_pool_t *p, ai_slice_t object, ai_ability_t *ability);

/* 1 for a member that "sampling" speaks for. */
int ai_models_samples(const char *member);

#endif
