# shellcheck shell=sh disable=SC2154
# What is where a backup is to be restored. Sent behind place.sh; it changes nothing.
#
#   exists no|empty|yes
#   sessions N           that use the database
#   error no_answer REASON

rl_database() { # NAME
    echo "SELECT (SELECT count(*) FROM pg_catalog.pg_database WHERE datname = :'target'),
        (SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE datname = :'target')" |
        psql -wqAtX -F ' ' -v ON_ERROR_STOP=1 -v target="$1" 2>&1 | {
        read -r there sessions rest
        case $there$sessions in
        *[!0-9]* | '') echo "error no_answer $there $sessions $rest" ;;
        0*) echo 'exists no' ;;
        *) printf 'exists yes\nsessions %s\n' "$sessions" ;;
        esac
    }
}

rl_directory() { # PATH
    bk_home "$1"
    if [ ! -e "$path" ] && [ ! -h "$path" ]; then
        echo 'exists no'
    elif [ -d "$path" ] && [ ! -h "${path%/}" ] && inside=$(ls -A "$path") && [ -z "$inside" ]; then
        echo 'exists empty'
    else
        echo 'exists yes'
    fi
}
