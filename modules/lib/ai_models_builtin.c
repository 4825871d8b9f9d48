/* SPDX-License-Identifier: Apache-2.0 */
/* ai_models_builtin.c - the text of ai_models.json, as the build found it. */

#include "ai_models.h"

static const char text[] = {
#include "ai_models.inc"
};

ai_slice_t ai_models_builtin(void)
{
    return (ai_slice_t){ text, sizeof(text) };
}
