/* SPDX-License-Identifier: Apache-2.0 */
/* dialects.c - which dialects are built in? ai_dialects.inc is made from AI_DIALECTS by make. */

#include <stddef.h>

#include "dialects.h"

#define AI_DIALECT(name) extern const ai_dialect_t ai_dialect_##name;
#include "ai_dialects.inc"
#undef AI_DIALECT

#define AI_DIALECT(name) &ai_dialect_##name,
const ai_dialect_t *const ai_dialects[] = {
#include "ai_dialects.inc"
    NULL
};

int ai_dialect_serves(const ai_dialect_t *caller, const ai_dialect_t *provider,
                      ai_endpoint_e endpoint)
{
    if (caller == provider || endpoint == AI_ENDPOINT_OTHER) {
        return 1;
    }
    return endpoint == AI_ENDPOINT_CHAT && caller->translator && provider->translator;
}
