# Completion of this repository's commands for bash: source docs/completion.bash
# Made by `make completion` from the command lines themselves; starts none of them.
# shellcheck shell=bash disable=SC2207 # words have no blanks

# What may follow the words, which are a program, perhaps its command, perhaps an option that takes a value; fails where
# there is no such place. Nothing: a file.
_pikkit_words() {
    case "$1" in
    '-m')
        echo 'pikkit.alerts pikkit.serve pikkit.slate training deploy'
        ;;
    'deploy')
        echo 'abort build canary deploy history install-unit judge logs pause plan promote resume rollback scale status stop unlock up verify --help'
        ;;
    'deploy abort' | \
    'deploy pause' | \
    'deploy resume' | \
    'deploy rollback' | \
    'deploy unlock' | \
    'pikkit.alerts retry')
        echo '--help'
        ;;
    'deploy build')
        echo '--version --models --image --out --json --help'
        ;;
    'deploy build --models' | \
    'deploy build --out' | \
    'deploy build --version' | \
    'deploy canary --interval' | \
    'deploy canary --models' | \
    'deploy canary --steps' | \
    'deploy canary --version' | \
    'deploy canary --weight' | \
    'deploy deploy --models' | \
    'deploy deploy --version' | \
    'deploy deploy --workers' | \
    'deploy history --last' | \
    'deploy history -n' | \
    'deploy install-unit --user' | \
    'deploy logs --lines' | \
    'deploy logs -n' | \
    'deploy plan --version' | \
    'deploy up --models' | \
    'deploy up --version' | \
    'deploy up --workers' | \
    'deploy verify --api-key' | \
    'deploy verify --clients' | \
    'deploy verify --p95-ms' | \
    'deploy verify --requests' | \
    'deploy verify --seconds' | \
    'deploy verify --url' | \
    'deploy verify --version' | \
    'import_models.py --bets' | \
    'import_models.py --date-format' | \
    'import_models.py --from' | \
    'import_models.py --history' | \
    'import_models.py --map' | \
    'import_models.py --rejected' | \
    'import_models.py --tag' | \
    'pikkit.alerts list --limit' | \
    'pikkit.alerts setup-n8n --out' | \
    'pikkit.slate --book' | \
    'pikkit.slate --fetch' | \
    'pikkit.slate --grade' | \
    'pikkit.slate --limit' | \
    'pikkit.slate --market' | \
    'training live-report --bets' | \
    'training live-report --date-format' | \
    'training live-report --map' | \
    'training live-report --model-version' | \
    'training live-report --predictions' | \
    'training live-report --rejected' | \
    'training live-report --report' | \
    'training live-report --since' | \
    'training live-report --within' | \
    'training score --date-format' | \
    'training score --map' | \
    'training score --models' | \
    'training score --out' | \
    'training starter --out' | \
    'training train --bets' | \
    'training train --date-format' | \
    'training train --map' | \
    'training train --out' | \
    'training train --rejected' | \
    'training train --report' | \
    'training train --seed' | \
    'training validate --against' | \
    'training validate --bets' | \
    'training validate --date-format' | \
    'training validate --map' | \
    'training validate --models' | \
    'training validate --rejected' | \
    'training validate --report' | \
    'training validate --share' | \
    'training validate --summary' | \
    'training validate-prices --models' | \
    'training validate-prices --moneylines' | \
    'training validate-prices --soccer')
        ;;
    'deploy canary')
        echo '--version --models --weight --steps --interval --auto --manual --detach --as-built --older-models --help'
        ;;
    'deploy deploy')
        echo '--version --models --workers --as-built --older-models --help'
        ;;
    'deploy history')
        echo '--last --json --help'
        ;;
    'deploy install-unit')
        echo '--write --user --help'
        ;;
    'deploy judge' | \
    'deploy status' | \
    'pikkit.alerts show' | \
    'pikkit.alerts test')
        echo '--json --help'
        ;;
    'deploy logs')
        echo 'blue green canary --follow --lines --help'
        ;;
    'deploy plan')
        echo 'deploy canary promote rollback abort --version --json --help'
        ;;
    'deploy promote')
        echo '--force --help'
        ;;
    'deploy scale')
        echo 'blue green canary --help'
        ;;
    'deploy stop')
        echo 'blue green canary --force --help'
        ;;
    'deploy up')
        echo '--version --models --workers --foreground --help'
        ;;
    'deploy verify')
        echo '--url --version --requests --seconds --clients --p95-ms --api-key --json --help'
        ;;
    'import_models.py')
        echo '--from --history --bets --tag --map --odds-format --date-format --rejected --activate --no-activate --check --if-changed --json --help'
        ;;
    'import_models.py --odds-format' | \
    'training live-report --odds-format' | \
    'training score --odds-format' | \
    'training train --odds-format' | \
    'training validate --odds-format')
        echo 'american decimal fractional'
        ;;
    'pikkit.alerts')
        echo 'list purge retry setup-n8n show test --help'
        ;;
    'pikkit.alerts list')
        echo '--state --limit --json --help'
        ;;
    'pikkit.alerts list --state')
        echo 'waiting delivered parked late left-out duplicate'
        ;;
    'pikkit.alerts purge')
        echo 'delivered parked late left-out duplicate --help'
        ;;
    'pikkit.alerts setup-n8n' | \
    'training starter')
        echo '--out --help'
        ;;
    'pikkit.serve')
        echo '--reload --help'
        ;;
    'pikkit.slate')
        echo '--fetch --book --market --grade --limit --json --csv --help'
        ;;
    'training')
        echo 'live-report score starter train validate validate-prices --help'
        ;;
    'training live-report')
        echo '--bets --supabase --predictions --within --since --model-version --report --map --odds-format --date-format --rejected --json --help'
        ;;
    'training score')
        echo '--out --models --map --odds-format --date-format --json --help'
        ;;
    'training train')
        echo '--out --bets --supabase --seed --report --map --odds-format --date-format --rejected --json --help'
        ;;
    'training validate')
        echo '--models --bets --against --supabase --simulated --share --report --summary --map --odds-format --date-format --rejected --json --help'
        ;;
    'training validate-prices')
        echo '--soccer --moneylines --models --json --help'
        ;;
    *) return 1 ;;
    esac
}

_pikkit() {
    local at=1 place words
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    COMPREPLY=()
    [[ ${COMP_WORDS[1]} == -m ]] && at=2
    if ((COMP_CWORD == at)); then
        ((at == 1)) || COMPREPLY=($(compgen -W "$(_pikkit_words -m)" -- "$word"))
        return
    fi
    place=${COMP_WORDS[at]#./}
    if ((COMP_CWORD > at + 1)) && _pikkit_words "$place ${COMP_WORDS[at + 1]}" >/dev/null; then
        place+=" ${COMP_WORDS[at + 1]}"
    fi
    if [[ $before != -* ]] || ! words=$(_pikkit_words "$place $before"); then
        words=$(_pikkit_words "$place") || return
    fi
    COMPREPLY=($(compgen -W "$words" -- "$word"))
}

complete -o default -F _pikkit python .venv/bin/python
