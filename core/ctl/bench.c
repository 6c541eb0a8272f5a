/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/bench.h"

static int run(const struct command *self, int argc, char **argv)
{
  struct bench_options o;
  struct bench_result r;
  int status = 1;

  if (!bench_options_read(self, argc, argv, &o, &status))
    return status;
  if (!bench_run(&o, &r))
    return 1;
  bench_report(&o, &r);
  return r.good ? 0 : 1;
}

const struct command command_bench = {
    .name = "bench",
    .arguments = "fanout|groups|connections|roundtrips [OPTION]... [--dev | "
                 "--config FILE | --connection STRING | --endpoint URL --key "
                 "KEY]",
    .summary = "load a server, check every message, and measure",
    .help = bench_help,
    .run = run};
