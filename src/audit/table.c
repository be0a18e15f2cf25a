/* table.c: the adversaries, a row each. */
#include "audit/audit_private.h"

const PtAdversary *const pt_adversaries[] = {&pt_adversary_centre,
                                             &pt_adversary_edge,
                                             &pt_adversary_statistics_centre,
                                             &pt_adversary_statistics_edge,
                                             &pt_adversary_dictionary_near,
                                             &pt_adversary_dictionary_far,
                                             &pt_adversary_twin_near,
                                             &pt_adversary_twin_far,
                                             &pt_adversary_twin_gap,
                                             &pt_adversary_habits,
                                             &pt_adversary_rare,
                                             &pt_adversary_sequences_high,
                                             &pt_adversary_sequences_low,
                                             &pt_adversary_pi_high,
                                             &pt_adversary_pi_low,
                                             &pt_adversary_files,
                                             &pt_adversary_answers,
                                             &pt_adversary_numbers,
                                             &pt_adversary_paths,
                                             &pt_adversary_trees,
                                             &pt_adversary_paper,
                                             &pt_adversary_network,
                                             &pt_adversary_tuples, /* last: whole.c */
                                             NULL};

const PtAdversary *pt_adversary_find(const char *name) {
  for (uint32_t i = 0; pt_adversaries[i]; i++)
    if (g_str_equal(pt_adversaries[i]->name, name))
      return pt_adversaries[i];
  return NULL;
}
