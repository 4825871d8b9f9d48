/* SPDX-License-Identifier: Apache-2.0 */
/* status_page.h - how do the counts look on mod_status's page? */
#ifndef STATUS_PAGE_H
#define STATUS_PAGE_H

#include <httpd.h>

#include "status_table.h"

/* Writes the section to r. flags are mod_status's AP_STATUS_*. table may be NULL: then nothing is
 * counted, and the section says so. */
void status_page_write(request_rec *r, int flags, status_table_t *table);

#endif
