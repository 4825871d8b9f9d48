/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_calls.c - a spool full of calls, for who measures how fast they are shipped.
 *
 * Begins and ends as the server writes them, of a thousand tenants and a hundred models, in four
 * segments at once as of four children.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "ai_spool.h"

enum { CHILDREN = 4, MOST = 10000000, TENANTS = 1000, MODELS = 100 };

static void end(const char *why)
{
    fprintf(stderr, "bench-calls: %s\nusage: bench-calls FOLDER CALLS\n\nFOLDER must be there, empty, "
            "and nobody else's.\n", why);
    exit(2);
}

static void put(ai_spool_t *spool, int type, const ai_uuid_t *id, apr_time_t now, const char *text)
{
    ai_slice_t body = ai_slice_of(text);
    ai_spool_record_t record = { .type = type, .id = *id, .time = now, .body = &body, .pieces = 1 };
    ai_spool_position_t position;

    if (ai_spool_append(spool, &record, &position) != APR_SUCCESS) {
        end("a record was not taken");
    }
}

/* What both records of a call begin with. */
static const char *common(apr_pool_t *p, const char *id, long i)
{
    return apr_psprintf(p, "{\"v\":1,\"id\":\"%s\",\"time\":\"2026-11-21T21:23:12.%06ldZ\",\"node\":\"gw1\","
                        "\"server\":\"ai.example.org\",\"tenant\":\"acme/team%ld\",\"user\":\"user%ld\","
                        "\"key\":\"Key%09ld\",\"tier\":\"gold\",\"address\":\"10.1.%ld.%ld\","
                        "\"method\":\"POST\",\"path\":\"/v1/chat/completions\",\"endpoint\":\"chat\","
                        "\"dialect\":\"openai\",\"model\":\"model-%ld\",\"stream\":true,"
                        "\"reserved\":{\"prompt\":%ld,\"completion\":4096}", id, i % 1000000, i % TENANTS,
                        i % 5003, i % 5003, i / 250 % 250, i % 250, i * 7919 % MODELS, 100 + i % 3000);
}

static void put_call(apr_pool_t *p, ai_spool_t *spool, ai_uuid_source_t *uuids, long i)
{
    apr_time_t now = apr_time_now();
    char id[AI_UUID_TEXT + 1];
    const char *begin;
    ai_uuid_t uuid;

    if (ai_uuid_make(uuids, now, &uuid) != APR_SUCCESS) {
        end("no random");
    }
    ai_uuid_text(&uuid, id);
    begin = common(p, id, i);
    put(spool, AI_SPOOL_BEGIN, &uuid, now,
        apr_psprintf(p, "%s,\"trace\":{\"id\":\"%.8s%.4s%.4s%.4s%.12s\",\"span\":\"00f067aa0ba902b7\"}}",
                     begin, id, id + 9, id + 14, id + 19, id + 24));
    put(spool, AI_SPOOL_END, &uuid, now,
        apr_psprintf(p, "%s,\"served\":\"model-%ld-2026-10-01\",\"route\":\"*\",\"target\":\"target%ld\","
                     "\"provider_id\":\"chatcmpl-%s\",\"attempts\":[{\"target\":\"target%ld\","
                     "\"model\":\"model-%ld\",\"status\":200,\"us\":812345}],\"status\":200,"
                     "\"finish\":\"stop\",\"tokens\":{\"prompt\":%ld,\"completion\":%ld,\"cached\":64,"
                     "\"source\":\"provider\"},\"cost\":{\"nanousd\":%ld,\"price\":\"builtin 2026-10\"},"
                     "\"us\":{\"head\":301200,\"first\":310400,\"upstream\":812345,\"overhead\":412,"
                     "\"total\":812757},\"prompt\":{\"bytes\":2312,\"kept\":\"meta\",\"parts\":0},"
                     "\"answer\":{\"bytes\":5120,\"kept\":\"meta\",\"parts\":0},"
                     "\"trace\":{\"id\":\"%.8s%.4s%.4s%.4s%.12s\",\"span\":\"00f067aa0ba902b7\"}}",
                     begin, i * 7919 % MODELS, i % 7, id, i % 7, i * 7919 % MODELS, 100 + i % 3000,
                     i % 900, i * 1000 % 9000000, id, id + 9, id + 14, id + 19, id + 24));
}

int main(int argc, char **argv)
{
    ai_spool_conf_t conf = { .node = "bench" };
    ai_spool_t *spools[CHILDREN];
    ai_uuid_source_t *uuids;
    apr_pool_t *pool, *each;
    char *rest;
    long calls, i;

    calls = argc == 3 ? (long)strtod(argv[2], &rest) : 0;
    if (argc != 3 || *rest || calls < 1 || calls > MOST) {
        end("where, and how many?");
    }
    apr_initialize();
    apr_pool_create(&pool, NULL);
    apr_pool_create(&each, pool);
    conf.folder = argv[1];
    if (ai_uuid_source_create(pool, &uuids) != APR_SUCCESS) {
        end("no random");
    }
    for (i = 0; i < CHILDREN; i++) {
        if (ai_spool_open(pool, &conf, apr_time_now(), &spools[i]) != APR_SUCCESS) {
            end("the spool cannot be opened");
        }
    }
    for (i = 0; i < calls; i++) {
        put_call(each, spools[i % CHILDREN], uuids, i);
        apr_pool_clear(each);
    }
    for (i = 0; i < CHILDREN; i++) {
        if (ai_spool_close(spools[i], apr_time_now()) != APR_SUCCESS) {
            end("it cannot be closed");
        }
    }
    apr_terminate();
    return 0;
}
