/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_watched_file.c - has a file changed, may it be trusted, and what does it hold now?
 *
 * Lives in: the pool given.  Shared state: none.  May block: on the file system.
 */

#include <apr_file_info.h>
#include <apr_file_io.h>
#include <apr_strings.h>

#include "ai_watched_file.h"

#define FACTS (APR_FINFO_TYPE | APR_FINFO_MTIME | APR_FINFO_CTIME | APR_FINFO_SIZE \
               | APR_FINFO_INODE | APR_FINFO_DEV | APR_FINFO_PROT)

static void note(ai_file_facts_t *facts, const apr_finfo_t *info)
{
    memset(facts, 0, sizeof(*facts));
    facts->mtime = info->mtime;
    facts->ctime = info->ctime;
    facts->size = info->size;
    facts->inode = (apr_uint64_t)info->inode;
    facts->device = (apr_uint64_t)info->device;
    facts->is_file = info->filetype == APR_REG;
    facts->protection = (apr_uint32_t)info->protection;
}

apr_status_t ai_watched_file_look(apr_pool_t *p, const char *path, ai_file_facts_t *now)
{
    apr_finfo_t info;
    apr_status_t rv = apr_stat(&info, path, FACTS, p);

    if (rv == APR_SUCCESS) {
        note(now, &info);
    }
    return rv;
}

int ai_watched_file_is_same(const ai_file_facts_t *a, const ai_file_facts_t *b)
{
    return a->mtime == b->mtime && a->ctime == b->ctime && a->size == b->size
           && a->inode == b->inode && a->device == b->device;
}

/* NULL, or why the file is none to be read. */
static const char *judge(apr_pool_t *p, const ai_file_facts_t *facts, apr_size_t max)
{
    if (!facts->is_file) {
        return "cannot be read: it is no file";
    }
    if (facts->protection & APR_FPROT_WWRITE) {
        return "can be written by everybody on this machine";
    }
    if (facts->size > (apr_int64_t)max) {
        return apr_psprintf(p, "is longer than %" APR_SIZE_T_FMT " bytes", max);
    }
    return NULL;
}

static apr_status_t read_open(apr_pool_t *p, apr_file_t *file, apr_size_t max,
                              ai_file_facts_t *facts, ai_slice_t *text, const char **wrong)
{
    apr_finfo_t info;
    apr_status_t rv = apr_file_info_get(&info, FACTS, file); /* whatever has the name by now */
    char *bytes;

    if (rv != APR_SUCCESS) {
        return rv;
    }
    note(facts, &info);
    *wrong = judge(p, facts, max);
    if (*wrong) {
        return APR_EGENERAL;
    }
    bytes = apr_palloc(p, (apr_size_t)facts->size + 1);
    rv = apr_file_read_full(file, bytes, (apr_size_t)facts->size, &text->n);
    bytes[text->n] = '\0';
    text->p = bytes;
    return rv == APR_EOF ? APR_SUCCESS : rv;
}

apr_status_t ai_watched_file_read(apr_pool_t *p, const char *path, apr_size_t max,
                                  ai_file_facts_t *facts, ai_slice_t *text, const char **wrong)
{
    apr_file_t *file;
    apr_status_t rv = ai_watched_file_look(p, path, facts);

    *wrong = rv == APR_SUCCESS ? judge(p, facts, max) : NULL;
    if (*wrong) {
        return APR_EGENERAL; /* before it is opened: a pipe would never let go */
    }
    if (rv == APR_SUCCESS) {
        rv = apr_file_open(&file, path, APR_READ | APR_BINARY, APR_OS_DEFAULT, p);
    }
    if (rv != APR_SUCCESS) {
        *wrong = apr_psprintf(p, "cannot be opened: %pm", &rv);
        return rv;
    }
    rv = read_open(p, file, max, facts, text, wrong);
    apr_file_close(file);
    if (rv != APR_SUCCESS && !*wrong) {
        *wrong = apr_psprintf(p, "cannot be read: %pm", &rv);
    }
    return rv;
}
