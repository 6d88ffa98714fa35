# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_rockfish_probe_global_optspecs
    string join \n c/config= dump-config workers= user= strict= i/source= live= filter= snaplen= promisc-off= idle-timeout= active-timeout= max-flows= max-payload= udp-uniflow= ndpi= no-mac= vlan-key= icmp-key= tcp-linger= tunnels= no-frag= max-frag-tables= frag-timeout= frag-max-bytes= pcap-buffer-size= pcap-immediate= afp-block-size= afp-block-count= afp-fanout-group= afp-fanout-mode= afp-timestamps= o/parquet-dir= parquet-batch-size= parquet-prefix= parquet-schema= observation= hive-boundary-flush= hive-partitioning= rotate-interval= extra-fields= row-group-size= compression-level= queue-size= json= s3-bucket= s3-prefix= s3-region= s3-endpoint= s3-force-path-style= s3-hive-partitioning= s3-delete-after-upload= test-s3 v/verbose q/quiet log-file= log-format= stats= stats-interval= metrics-listen= progress= license= license-public-key= h/help V/version
end

function __fish_rockfish_probe_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_rockfish_probe_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_rockfish_probe_using_subcommand
    set -l cmd (__fish_rockfish_probe_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -s c -l config -d 'Configuration file (YAML) [env: ROCKFISH_CONFIG]' -r -F
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -l workers -d 'Workers; 0: one for each core, on an interface one [default: 0]' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -l user -d 'User to become once the interface is open' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -l strict -d 'End with status 3 if anything was lost' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -s i -l source -d 'Capture file, folder, glob pattern, `-` for standard input, or interface' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -l live -d 'Capture from an interface: pcap, afpacket, netmap, fmadio [default: pcap]' -r -f -a "pcap\t'libpcap'
afpacket\t'AF_PACKET with TPACKET_V3 (Linux)'
netmap\t'netmap (FreeBSD)'
fmadio\t'Ring buffer of an FMADIO appliance'"
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -l filter -d 'BPF filter expression, in libpcap\'s language' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -l snaplen -d 'Octets of each packet that are looked at [default: 65535]' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -l promisc-off -d 'Do not put the interface into promiscuous mode' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -l idle-timeout -d 'Seconds without a packet after which a flow ends [default: 300]' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -l active-timeout -d 'Seconds after which a flow is written although it goes on [default: 1800]' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -l max-flows -d 'Most flows held at a time; 0: no limit; unset, an interface has 1000000 [default: 0]' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -l max-payload -d 'Payload octets of each direction that entropy is taken of [default: 500]' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -l udp-uniflow -d 'UDP port whose flows are written a packet each; 0: none, 1: all [default: 0]' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -l ndpi -d 'Detect applications' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -l no-mac -d 'Leave the MAC addresses out' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -l vlan-key -d 'Make the VLAN id part of the flow key' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -l icmp-key -d 'Make ICMP type and code part of the flow key' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -l tcp-linger -d 'Seconds for which an ended TCP flow takes in late packets; 0: none [default: 2]' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -l tunnels -d 'Which headers of a tunnelled packet make its flow: inner, outer [default: outer]' -r -f -a "outer\t'The tunnel\'s own: a tunnel is one flow'
inner\t'The innermost: tunnels are opened'"
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -l no-frag -d 'Do not reassemble fragments' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -l max-frag-tables -d 'Most datagrams in reassembly at a time [default: 1024]' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -l frag-timeout -d 'Seconds after which an incomplete datagram is given up [default: 30]' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -l frag-max-bytes -d 'Most octets held for reassembly [default: 67108864]' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -l pcap-buffer-size -d 'Octets of the buffer in which packets wait [default: 67108864]' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -l pcap-immediate -d 'Take each packet at once instead of several together' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -l afp-block-size -d 'Octets of a block of the ring buffer [default: 2097152]' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -l afp-block-count -d 'Blocks of the ring buffer [default: 64]' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -l afp-fanout-group -d 'Fanout group; 0: none [default: 0]' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -l afp-fanout-mode -d 'Fanout mode: hash, lb, cpu, rollover, random [default: hash]' -r -f -a "hash\t'By flow hash'
lb\t'Round robin'
cpu\t'By the CPU that received the packet'
rollover\t'Fill one socket, then the next'
random\t'At random'"
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -l afp-timestamps -d 'Where packets\' times come from: kernel, hardware [default: kernel]' -r -f -a "kernel\t'The kernel, when it receives the packet'
hardware\t'The network card, if it can; otherwise the kernel'"
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -s o -l parquet-dir -d 'Folder for Parquet files' -r -F
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -l parquet-batch-size -d 'Most flows in a file [default: 1000000]' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -l parquet-prefix -d 'First word of the file names [default: rockfish]' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -l parquet-schema -d 'Columns: simple, extended [default: simple]' -r -f -a "simple\t'Version 1: 44 fields, 54 from the Basic tier'
extended\t'Version 2: 60 fields, from the Professional tier'"
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -l observation -d 'Name of the observation domain [default: gnat]' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -l hive-boundary-flush -d 'Begin a new file at each day boundary (UTC)' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -l hive-partitioning -d 'Put files into folders v1/year=YYYY/month=MM/day=DD/' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -l rotate-interval -d 'Seconds of capture time after which a new file is begun; 0: never; unset, an interface has 60 [default: 0]' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -l extra-fields -d 'Further columns, separated by commas' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -l row-group-size -d 'Rows in a row group [default: 122880]' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -l compression-level -d 'Zstandard level, 1 to 22 [default: the writer\'s]' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -l queue-size -d 'Flow records of an interface that may wait for being written [default: 262144]' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -l json -d 'Write flows as JSON lines with IPFIX names; `-` for standard output' -r -F
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -l s3-bucket -d 'Bucket (not in this build)' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -l s3-prefix -d 'What keys begin with' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -l s3-region -d 'Region' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -l s3-endpoint -d 'Endpoint other than Amazon\'s' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -l s3-force-path-style -d 'Put the bucket into the path of URLs' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -l s3-hive-partitioning -d 'Put v1/year=YYYY/month=MM/day=DD/ into keys' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -l s3-delete-after-upload -d 'Delete a local file once it is uploaded' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -l log-file -d 'Log to a file, a new one each day; standard error then gets warnings and errors only' -r -F
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -l log-format -d 'Shape of log lines: text, json [default: text]' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -l stats -d 'Print statistics at the end, and log them on the way on an interface' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -l stats-interval -d 'Seconds between statistics on the way; 0: none [default: 0]' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -l metrics-listen -d 'Serve metrics and health at PORT of the loopback interface, or ADDRESS:PORT' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -l progress -d 'When the progress bar is shown: auto, always, never [default: auto]' -r -f -a "auto\t'If standard error is a terminal'
always\t'Always'
never\t'Never'"
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -l license -d 'Licence file [env: ROCKFISH_LICENSE_PATH]' -r -F
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -l license-public-key -d 'The issuer\'s public key, instead of the one that was built in' -r -F
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -l dump-config -d 'Print the effective configuration as YAML, secrets masked, and exit'
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -l test-s3 -d 'Test S3 connectivity and exit (not in this build)'
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -s v -l verbose -d 'Say more: -v information, -vv debugging, -vvv everything; never less than output.verbose'
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -s q -l quiet -d 'Say errors only'
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -s V -l version -d 'Print version'
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -f -a "validate" -d 'Check configuration, environment and flags, and say what is wrong'
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -f -a "completions" -d 'Print a completion script'
complete -c rockfish_probe -n "__fish_rockfish_probe_needs_command" -f -a "man" -d 'Print the man page'
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -s c -l config -d 'Configuration file (YAML) [env: ROCKFISH_CONFIG]' -r -F
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -l workers -d 'Workers; 0: one for each core, on an interface one [default: 0]' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -l user -d 'User to become once the interface is open' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -l strict -d 'End with status 3 if anything was lost' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -s i -l source -d 'Capture file, folder, glob pattern, `-` for standard input, or interface' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -l live -d 'Capture from an interface: pcap, afpacket, netmap, fmadio [default: pcap]' -r -f -a "pcap\t'libpcap'
afpacket\t'AF_PACKET with TPACKET_V3 (Linux)'
netmap\t'netmap (FreeBSD)'
fmadio\t'Ring buffer of an FMADIO appliance'"
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -l filter -d 'BPF filter expression, in libpcap\'s language' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -l snaplen -d 'Octets of each packet that are looked at [default: 65535]' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -l promisc-off -d 'Do not put the interface into promiscuous mode' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -l idle-timeout -d 'Seconds without a packet after which a flow ends [default: 300]' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -l active-timeout -d 'Seconds after which a flow is written although it goes on [default: 1800]' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -l max-flows -d 'Most flows held at a time; 0: no limit; unset, an interface has 1000000 [default: 0]' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -l max-payload -d 'Payload octets of each direction that entropy is taken of [default: 500]' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -l udp-uniflow -d 'UDP port whose flows are written a packet each; 0: none, 1: all [default: 0]' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -l ndpi -d 'Detect applications' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -l no-mac -d 'Leave the MAC addresses out' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -l vlan-key -d 'Make the VLAN id part of the flow key' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -l icmp-key -d 'Make ICMP type and code part of the flow key' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -l tcp-linger -d 'Seconds for which an ended TCP flow takes in late packets; 0: none [default: 2]' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -l tunnels -d 'Which headers of a tunnelled packet make its flow: inner, outer [default: outer]' -r -f -a "outer\t'The tunnel\'s own: a tunnel is one flow'
inner\t'The innermost: tunnels are opened'"
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -l no-frag -d 'Do not reassemble fragments' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -l max-frag-tables -d 'Most datagrams in reassembly at a time [default: 1024]' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -l frag-timeout -d 'Seconds after which an incomplete datagram is given up [default: 30]' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -l frag-max-bytes -d 'Most octets held for reassembly [default: 67108864]' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -l pcap-buffer-size -d 'Octets of the buffer in which packets wait [default: 67108864]' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -l pcap-immediate -d 'Take each packet at once instead of several together' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -l afp-block-size -d 'Octets of a block of the ring buffer [default: 2097152]' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -l afp-block-count -d 'Blocks of the ring buffer [default: 64]' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -l afp-fanout-group -d 'Fanout group; 0: none [default: 0]' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -l afp-fanout-mode -d 'Fanout mode: hash, lb, cpu, rollover, random [default: hash]' -r -f -a "hash\t'By flow hash'
lb\t'Round robin'
cpu\t'By the CPU that received the packet'
rollover\t'Fill one socket, then the next'
random\t'At random'"
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -l afp-timestamps -d 'Where packets\' times come from: kernel, hardware [default: kernel]' -r -f -a "kernel\t'The kernel, when it receives the packet'
hardware\t'The network card, if it can; otherwise the kernel'"
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -s o -l parquet-dir -d 'Folder for Parquet files' -r -F
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -l parquet-batch-size -d 'Most flows in a file [default: 1000000]' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -l parquet-prefix -d 'First word of the file names [default: rockfish]' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -l parquet-schema -d 'Columns: simple, extended [default: simple]' -r -f -a "simple\t'Version 1: 44 fields, 54 from the Basic tier'
extended\t'Version 2: 60 fields, from the Professional tier'"
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -l observation -d 'Name of the observation domain [default: gnat]' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -l hive-boundary-flush -d 'Begin a new file at each day boundary (UTC)' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -l hive-partitioning -d 'Put files into folders v1/year=YYYY/month=MM/day=DD/' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -l rotate-interval -d 'Seconds of capture time after which a new file is begun; 0: never; unset, an interface has 60 [default: 0]' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -l extra-fields -d 'Further columns, separated by commas' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -l row-group-size -d 'Rows in a row group [default: 122880]' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -l compression-level -d 'Zstandard level, 1 to 22 [default: the writer\'s]' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -l queue-size -d 'Flow records of an interface that may wait for being written [default: 262144]' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -l json -d 'Write flows as JSON lines with IPFIX names; `-` for standard output' -r -F
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -l s3-bucket -d 'Bucket (not in this build)' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -l s3-prefix -d 'What keys begin with' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -l s3-region -d 'Region' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -l s3-endpoint -d 'Endpoint other than Amazon\'s' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -l s3-force-path-style -d 'Put the bucket into the path of URLs' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -l s3-hive-partitioning -d 'Put v1/year=YYYY/month=MM/day=DD/ into keys' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -l s3-delete-after-upload -d 'Delete a local file once it is uploaded' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -l log-file -d 'Log to a file, a new one each day; standard error then gets warnings and errors only' -r -F
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -l log-format -d 'Shape of log lines: text, json [default: text]' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -l stats -d 'Print statistics at the end, and log them on the way on an interface' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -l stats-interval -d 'Seconds between statistics on the way; 0: none [default: 0]' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -l metrics-listen -d 'Serve metrics and health at PORT of the loopback interface, or ADDRESS:PORT' -r
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -l progress -d 'When the progress bar is shown: auto, always, never [default: auto]' -r -f -a "auto\t'If standard error is a terminal'
always\t'Always'
never\t'Never'"
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -l license -d 'Licence file [env: ROCKFISH_LICENSE_PATH]' -r -F
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -l license-public-key -d 'The issuer\'s public key, instead of the one that was built in' -r -F
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -l dump-config -d 'Print the effective configuration as YAML, secrets masked, and exit'
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -l test-s3 -d 'Test S3 connectivity and exit (not in this build)'
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -s v -l verbose -d 'Say more: -v information, -vv debugging, -vvv everything; never less than output.verbose'
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -s q -l quiet -d 'Say errors only'
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand validate" -s h -l help -d 'Print help'
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand completions" -s h -l help -d 'Print help'
complete -c rockfish_probe -n "__fish_rockfish_probe_using_subcommand man" -s h -l help -d 'Print help'
