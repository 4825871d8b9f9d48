# SPDX-License-Identifier: Apache-2.0
# aictl.bash - completes the words of aictl.

_aictl()
{
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}
    local fields='--name --tenant --user --tier --model --deny-model --endpoint --source --expires
                  --not-before --metadata --limits'
    local place='--file --database --runtime' words='' i
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        words='key db audit usage explain price --help --version'
    elif [ "$COMP_CWORD" -eq 2 ] && [ "${COMP_WORDS[1]}" = db ]; then
        words='init migrate status'
    elif [ "$COMP_CWORD" -eq 2 ] && [ "${COMP_WORDS[1]}" = key ]; then
        words='create list show update rotate disable enable delete export import check'
    elif [ "$COMP_CWORD" -eq 2 ] && [ "${COMP_WORDS[1]}" = audit ]; then
        words='search tail show export ship keygen verify retain hold'
    elif [ "${COMP_WORDS[1]}" = audit ] || [ "${COMP_WORDS[1]}" = usage ] ||
         [ "${COMP_WORDS[1]}" = explain ]; then
        local range='--since --until' listing='--limit --format --columns'
        case $before in
        --spool|--export|--key|--public-key|--signing-key)
            mapfile -t COMPREPLY < <(compgen -f -- "$word")
            return ;;
        --order) words='newest oldest' ;;
        --format)
            words='table json csv'
            [ "${COMP_WORDS[2]}" != export ] || words='jsonl csv proof' ;;
        --by) words='key user tenant model target day' ;;
        --since|--until|--limit|--columns|--zone|--interval|--database|--older|--reason|--tenant|--expect|--checkpoint)
            return ;;
        *)  case $word in
            -*) case ${COMP_WORDS[1]}${COMP_WORDS[2]} in
                auditsearch|auditexport) words="$range $listing --order --database" ;;
                audittail) words="$listing --follow --interval --database" ;;
                auditshow) words='--json --prompt --answer --spool --database' ;;
                auditship) words='--spool --once --lines --signing-key --checkpoint --database' ;;
                auditkeygen) words='--key' ;;
                auditverify) words='--public-key --expect --since --export --spool --database' ;;
                auditretain) words='--older --bodies --records --tenant --dry-run --signing-key --unsigned
                                    --database' ;;
                audithold) words="--reason --tenant $range --database" ;;
                usage*) words="--by $range --zone --format --database" ;;
                explain*) words='--spool --database' ;;
                esac ;;
            *)  if [ "${COMP_WORDS[1]}${COMP_WORDS[2]}" = audithold ]; then
                    words='add list release'
                fi ;;
            esac ;;
        esac
    elif [ "$before" = --file ] || [ "$before" = --runtime ] ||
         { [ "${COMP_WORDS[2]}" = import ] && [ "${word#-}" = "$word" ] && [ "$before" != --database ]; }; then
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return
    elif [ "${COMP_WORDS[1]}" = price ]; then
        case $before in
        --service) words='standard batch flex priority balanced ultrafast' ;;
        --target|--host|--provider|--own|--at) return ;;
        *)  case $word in
            -*) words='--file --target --host --provider --own --at --service --json --prompt --completion
                       --cached --written --written-1h --reasoning --prompt-audio --prompt-image
                       --completion-audio --completion-image --searches --seconds --images --characters' ;;
            esac ;;
        esac
    elif [ "$before" = --endpoint ]; then
        words='chat embeddings count-tokens models model completions responses moderations images
               speech transcriptions translations rerank files batches stored other'
    elif [ "$before" = --owner ]; then
        words=$(compgen -u)
    elif [ "$before" = --clear ]; then
        words=${fields//--/}
    elif [ "$before" = --overlap ] || [ "$before" = --from ]; then
        return
    else
        case $word in
        -*) case ${COMP_WORDS[2]} in
            init) words='--database --owner' ;;
            migrate|status) words='--database' ;;
            create) words="$fields --json $place" ;;
            list|show) words="--json $place" ;;
            update) words="$fields --clear $place" ;;
            rotate) words="--overlap --json $place" ;;
            import) words="--replace $place" ;;
            check) words="--stdin --from $place" ;;
            ship) words='--spool --database --once --lines' ;;
            *) words=$place ;;
            esac ;;
        *)  case ${COMP_WORDS[2]} in
            show|update|rotate|disable|enable|delete|export)
                local file=()
                for ((i = 3; i < COMP_CWORD; i++)); do
                    case ${COMP_WORDS[i]} in
                    --file) file=(--file "${COMP_WORDS[i+1]}") ;;
                    --database) file=("${COMP_WORDS[i+1]#[\'\"]}"); file=(--database "${file[0]%[\'\"]}") ;;
                    esac
                done
                words=$("${COMP_WORDS[0]}" key list "${file[@]}" 2>/dev/null | sed '1d;s/ .*//') ;;
            esac ;;
        esac
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -F _aictl aictl
