/* SPDX-License-Identifier: Apache-2.0 */
/* ai_price_builtin.c - the text of ai_prices.json, as the build found it. */

#include "ai_price.h"

static const char text[] = {
#include "ai_prices.inc"
};

ai_slice_t ai_price_builtin(void)
{
    return (ai_slice_t){ text, sizeof(text) };
}
