# shellcheck shell=sh disable=SC2154
# A start that waits: sent only where $RJ_WAIT says for how many seconds. What it calls is in the other files.

# After the answer of a start, in the same one: what became of the job within $RJ_WAIT seconds. The line before it holds
# a word that no job can write.
rj_stay() {
    eval "${rj_more-}"
    printf 'job %s %s\n' "$jid" "${RJ_END##* }"
    trap '' PIPE # the caller may be gone by then, and the shell that waits for us must not stay
    rj_wait "$RJ_WAIT" "$dir"
    rj_settled
    case $j_state in running | queued) rj_print full -1 -1 4096 ;; *) rj_print full -1 -1 65536 ;; esac
    rj_still
}
