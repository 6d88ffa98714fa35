_rockfish_probe() {
    local i cur prev opts cmd
    COMPREPLY=()
    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
        cur="$2"
    else
        cur="${COMP_WORDS[COMP_CWORD]}"
    fi
    prev="$3"
    cmd=""
    opts=""

    for i in "${COMP_WORDS[@]:0:COMP_CWORD}"
    do
        case "${cmd},${i}" in
            ",$1")
                cmd="rockfish_probe"
                ;;
            rockfish_probe,completions)
                cmd="rockfish_probe__subcmd__completions"
                ;;
            rockfish_probe,man)
                cmd="rockfish_probe__subcmd__man"
                ;;
            rockfish_probe,validate)
                cmd="rockfish_probe__subcmd__validate"
                ;;
            *)
                ;;
        esac
    done

    case "${cmd}" in
        rockfish_probe)
            opts="-c -i -o -v -q -h -V --config --dump-config --workers --user --strict --source --live --filter --snaplen --promisc-off --idle-timeout --active-timeout --max-flows --max-payload --udp-uniflow --ndpi --no-mac --vlan-key --icmp-key --tcp-linger --tunnels --no-frag --max-frag-tables --frag-timeout --frag-max-bytes --pcap-buffer-size --pcap-immediate --afp-block-size --afp-block-count --afp-fanout-group --afp-fanout-mode --afp-timestamps --parquet-dir --parquet-batch-size --parquet-prefix --parquet-schema --observation --hive-boundary-flush --hive-partitioning --rotate-interval --extra-fields --row-group-size --compression-level --queue-size --json --s3-bucket --s3-prefix --s3-region --s3-endpoint --s3-force-path-style --s3-hive-partitioning --s3-delete-after-upload --test-s3 --verbose --quiet --log-file --log-format --stats --stats-interval --metrics-listen --progress --license --license-public-key --help --version validate completions man"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 1 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --config)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -c)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --workers)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --user)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --strict)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --source)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -i)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --live)
                    COMPREPLY=($(compgen -W "pcap afpacket netmap fmadio" -- "${cur}"))
                    return 0
                    ;;
                --filter)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --snaplen)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --promisc-off)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --idle-timeout)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --active-timeout)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --max-flows)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --max-payload)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --udp-uniflow)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --ndpi)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --no-mac)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --vlan-key)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --icmp-key)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --tcp-linger)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --tunnels)
                    COMPREPLY=($(compgen -W "outer inner" -- "${cur}"))
                    return 0
                    ;;
                --no-frag)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --max-frag-tables)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --frag-timeout)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --frag-max-bytes)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --pcap-buffer-size)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --pcap-immediate)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --afp-block-size)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --afp-block-count)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --afp-fanout-group)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --afp-fanout-mode)
                    COMPREPLY=($(compgen -W "hash lb cpu rollover random" -- "${cur}"))
                    return 0
                    ;;
                --afp-timestamps)
                    COMPREPLY=($(compgen -W "kernel hardware" -- "${cur}"))
                    return 0
                    ;;
                --parquet-dir)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -o)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --parquet-batch-size)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --parquet-prefix)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --parquet-schema)
                    COMPREPLY=($(compgen -W "simple extended" -- "${cur}"))
                    return 0
                    ;;
                --observation)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --hive-boundary-flush)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --hive-partitioning)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --rotate-interval)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --extra-fields)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --row-group-size)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --compression-level)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --queue-size)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --json)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --s3-bucket)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --s3-prefix)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --s3-region)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --s3-endpoint)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --s3-force-path-style)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --s3-hive-partitioning)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --s3-delete-after-upload)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --log-file)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --log-format)
                    COMPREPLY=($(compgen -W "text json" -- "${cur}"))
                    return 0
                    ;;
                --stats)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --stats-interval)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --metrics-listen)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --progress)
                    COMPREPLY=($(compgen -W "auto always never" -- "${cur}"))
                    return 0
                    ;;
                --license)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --license-public-key)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        rockfish_probe__subcmd__completions)
            opts="-h --help bash elvish fish powershell zsh"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        rockfish_probe__subcmd__man)
            opts="-h --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        rockfish_probe__subcmd__validate)
            opts="-c -i -o -v -q -h --config --dump-config --workers --user --strict --source --live --filter --snaplen --promisc-off --idle-timeout --active-timeout --max-flows --max-payload --udp-uniflow --ndpi --no-mac --vlan-key --icmp-key --tcp-linger --tunnels --no-frag --max-frag-tables --frag-timeout --frag-max-bytes --pcap-buffer-size --pcap-immediate --afp-block-size --afp-block-count --afp-fanout-group --afp-fanout-mode --afp-timestamps --parquet-dir --parquet-batch-size --parquet-prefix --parquet-schema --observation --hive-boundary-flush --hive-partitioning --rotate-interval --extra-fields --row-group-size --compression-level --queue-size --json --s3-bucket --s3-prefix --s3-region --s3-endpoint --s3-force-path-style --s3-hive-partitioning --s3-delete-after-upload --test-s3 --verbose --quiet --log-file --log-format --stats --stats-interval --metrics-listen --progress --license --license-public-key --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --config)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -c)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --workers)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --user)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --strict)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --source)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -i)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --live)
                    COMPREPLY=($(compgen -W "pcap afpacket netmap fmadio" -- "${cur}"))
                    return 0
                    ;;
                --filter)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --snaplen)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --promisc-off)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --idle-timeout)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --active-timeout)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --max-flows)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --max-payload)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --udp-uniflow)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --ndpi)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --no-mac)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --vlan-key)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --icmp-key)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --tcp-linger)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --tunnels)
                    COMPREPLY=($(compgen -W "outer inner" -- "${cur}"))
                    return 0
                    ;;
                --no-frag)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --max-frag-tables)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --frag-timeout)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --frag-max-bytes)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --pcap-buffer-size)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --pcap-immediate)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --afp-block-size)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --afp-block-count)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --afp-fanout-group)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --afp-fanout-mode)
                    COMPREPLY=($(compgen -W "hash lb cpu rollover random" -- "${cur}"))
                    return 0
                    ;;
                --afp-timestamps)
                    COMPREPLY=($(compgen -W "kernel hardware" -- "${cur}"))
                    return 0
                    ;;
                --parquet-dir)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -o)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --parquet-batch-size)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --parquet-prefix)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --parquet-schema)
                    COMPREPLY=($(compgen -W "simple extended" -- "${cur}"))
                    return 0
                    ;;
                --observation)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --hive-boundary-flush)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --hive-partitioning)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --rotate-interval)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --extra-fields)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --row-group-size)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --compression-level)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --queue-size)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --json)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --s3-bucket)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --s3-prefix)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --s3-region)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --s3-endpoint)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --s3-force-path-style)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --s3-hive-partitioning)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --s3-delete-after-upload)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --log-file)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --log-format)
                    COMPREPLY=($(compgen -W "text json" -- "${cur}"))
                    return 0
                    ;;
                --stats)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --stats-interval)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --metrics-listen)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --progress)
                    COMPREPLY=($(compgen -W "auto always never" -- "${cur}"))
                    return 0
                    ;;
                --license)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --license-public-key)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
    esac
}

if [[ "${BASH_VERSINFO[0]}" -eq 4 && "${BASH_VERSINFO[1]}" -ge 4 || "${BASH_VERSINFO[0]}" -gt 4 ]]; then
    complete -F _rockfish_probe -o nosort -o bashdefault -o default rockfish_probe
else
    complete -F _rockfish_probe -o bashdefault -o default rockfish_probe
fi
