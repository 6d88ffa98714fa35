# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_rockfish_license_global_optspecs
    string join \n v/verbose q/quiet log-file= log-format= h/help V/version
end

function __fish_rockfish_license_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_rockfish_license_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_rockfish_license_using_subcommand
    set -l cmd (__fish_rockfish_license_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c rockfish_license -n "__fish_rockfish_license_needs_command" -l log-file -d 'Log to a file, a new one each day; standard error then gets warnings and errors only' -r -F
complete -c rockfish_license -n "__fish_rockfish_license_needs_command" -l log-format -d 'Shape of log lines: text, json [default: text]' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c rockfish_license -n "__fish_rockfish_license_needs_command" -s v -l verbose -d 'Say more: -v information, -vv debugging, -vvv everything; never less than output.verbose'
complete -c rockfish_license -n "__fish_rockfish_license_needs_command" -s q -l quiet -d 'Say errors only'
complete -c rockfish_license -n "__fish_rockfish_license_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rockfish_license -n "__fish_rockfish_license_needs_command" -s V -l version -d 'Print version'
complete -c rockfish_license -n "__fish_rockfish_license_needs_command" -f -a "keygen" -d 'Make a pair of keys: NAME.key, readable by its owner alone, and NAME.pub'
complete -c rockfish_license -n "__fish_rockfish_license_needs_command" -f -a "issue" -d 'Sign a licence'
complete -c rockfish_license -n "__fish_rockfish_license_needs_command" -f -a "verify" -d 'Check licences, and the Parquet files that carry one'
complete -c rockfish_license -n "__fish_rockfish_license_needs_command" -f -a "show" -d 'Print what a licence or a Parquet file says, without checking it'
complete -c rockfish_license -n "__fish_rockfish_license_needs_command" -f -a "completions" -d 'Print a completion script'
complete -c rockfish_license -n "__fish_rockfish_license_needs_command" -f -a "man" -d 'Print the man page'
complete -c rockfish_license -n "__fish_rockfish_license_using_subcommand keygen" -l out -d 'Where: the files become NAME.key and NAME.pub, and must not be there yet' -r -F
complete -c rockfish_license -n "__fish_rockfish_license_using_subcommand keygen" -l log-file -d 'Log to a file, a new one each day; standard error then gets warnings and errors only' -r -F
complete -c rockfish_license -n "__fish_rockfish_license_using_subcommand keygen" -l log-format -d 'Shape of log lines: text, json [default: text]' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c rockfish_license -n "__fish_rockfish_license_using_subcommand keygen" -s v -l verbose -d 'Say more: -v information, -vv debugging, -vvv everything; never less than output.verbose'
complete -c rockfish_license -n "__fish_rockfish_license_using_subcommand keygen" -s q -l quiet -d 'Say errors only'
complete -c rockfish_license -n "__fish_rockfish_license_using_subcommand keygen" -s h -l help -d 'Print help'
complete -c rockfish_license -n "__fish_rockfish_license_using_subcommand issue" -l key -d 'Private key of the issuer, in PEM' -r -F
complete -c rockfish_license -n "__fish_rockfish_license_using_subcommand issue" -l tier -d 'What is unlocked: community, basic, professional, enterprise' -r -f -a "community\t''
basic\t''
professional\t''
enterprise\t''"
complete -c rockfish_license -n "__fish_rockfish_license_using_subcommand issue" -l company -d 'Who it is for' -r
complete -c rockfish_license -n "__fish_rockfish_license_using_subcommand issue" -l email -d 'Address of the customer' -r
complete -c rockfish_license -n "__fish_rockfish_license_using_subcommand issue" -l observation -d 'The only observation domain it is for; without, any' -r
complete -c rockfish_license -n "__fish_rockfish_license_using_subcommand issue" -l id -d 'Identifier [default: lic_ and 16 random hexadecimal digits]' -r
complete -c rockfish_license -n "__fish_rockfish_license_using_subcommand issue" -l days -d 'Days for which it is valid' -r
complete -c rockfish_license -n "__fish_rockfish_license_using_subcommand issue" -l not-before -d 'When it begins to be valid, as 2025-01-31 or 2025-01-31T12:00:00Z [default: now]' -r
complete -c rockfish_license -n "__fish_rockfish_license_using_subcommand issue" -l out -d 'The licence\'s file; one that is there is replaced [default: standard output]' -r -F
complete -c rockfish_license -n "__fish_rockfish_license_using_subcommand issue" -l log-file -d 'Log to a file, a new one each day; standard error then gets warnings and errors only' -r -F
complete -c rockfish_license -n "__fish_rockfish_license_using_subcommand issue" -l log-format -d 'Shape of log lines: text, json [default: text]' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c rockfish_license -n "__fish_rockfish_license_using_subcommand issue" -s v -l verbose -d 'Say more: -v information, -vv debugging, -vvv everything; never less than output.verbose'
complete -c rockfish_license -n "__fish_rockfish_license_using_subcommand issue" -s q -l quiet -d 'Say errors only'
complete -c rockfish_license -n "__fish_rockfish_license_using_subcommand issue" -s h -l help -d 'Print help'
complete -c rockfish_license -n "__fish_rockfish_license_using_subcommand verify" -l public-key -l license-public-key -d 'Public key of the issuer, PEM or base64 [env: ROCKFISH_LICENSE_PUBLIC_KEY]' -r -F
complete -c rockfish_license -n "__fish_rockfish_license_using_subcommand verify" -l log-file -d 'Log to a file, a new one each day; standard error then gets warnings and errors only' -r -F
complete -c rockfish_license -n "__fish_rockfish_license_using_subcommand verify" -l log-format -d 'Shape of log lines: text, json [default: text]' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c rockfish_license -n "__fish_rockfish_license_using_subcommand verify" -l current -d 'Of Parquet files, too, want a licence that is valid now'
complete -c rockfish_license -n "__fish_rockfish_license_using_subcommand verify" -l json -d 'Print a JSON object for each file'
complete -c rockfish_license -n "__fish_rockfish_license_using_subcommand verify" -s v -l verbose -d 'Say more: -v information, -vv debugging, -vvv everything; never less than output.verbose'
complete -c rockfish_license -n "__fish_rockfish_license_using_subcommand verify" -s q -l quiet -d 'Say errors only'
complete -c rockfish_license -n "__fish_rockfish_license_using_subcommand verify" -s h -l help -d 'Print help'
complete -c rockfish_license -n "__fish_rockfish_license_using_subcommand show" -l log-file -d 'Log to a file, a new one each day; standard error then gets warnings and errors only' -r -F
complete -c rockfish_license -n "__fish_rockfish_license_using_subcommand show" -l log-format -d 'Shape of log lines: text, json [default: text]' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c rockfish_license -n "__fish_rockfish_license_using_subcommand show" -l json -d 'Print a JSON object'
complete -c rockfish_license -n "__fish_rockfish_license_using_subcommand show" -s v -l verbose -d 'Say more: -v information, -vv debugging, -vvv everything; never less than output.verbose'
complete -c rockfish_license -n "__fish_rockfish_license_using_subcommand show" -s q -l quiet -d 'Say errors only'
complete -c rockfish_license -n "__fish_rockfish_license_using_subcommand show" -s h -l help -d 'Print help'
complete -c rockfish_license -n "__fish_rockfish_license_using_subcommand completions" -l log-file -d 'Log to a file, a new one each day; standard error then gets warnings and errors only' -r -F
complete -c rockfish_license -n "__fish_rockfish_license_using_subcommand completions" -l log-format -d 'Shape of log lines: text, json [default: text]' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c rockfish_license -n "__fish_rockfish_license_using_subcommand completions" -s v -l verbose -d 'Say more: -v information, -vv debugging, -vvv everything; never less than output.verbose'
complete -c rockfish_license -n "__fish_rockfish_license_using_subcommand completions" -s q -l quiet -d 'Say errors only'
complete -c rockfish_license -n "__fish_rockfish_license_using_subcommand completions" -s h -l help -d 'Print help'
complete -c rockfish_license -n "__fish_rockfish_license_using_subcommand man" -l log-file -d 'Log to a file, a new one each day; standard error then gets warnings and errors only' -r -F
complete -c rockfish_license -n "__fish_rockfish_license_using_subcommand man" -l log-format -d 'Shape of log lines: text, json [default: text]' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c rockfish_license -n "__fish_rockfish_license_using_subcommand man" -s v -l verbose -d 'Say more: -v information, -vv debugging, -vvv everything; never less than output.verbose'
complete -c rockfish_license -n "__fish_rockfish_license_using_subcommand man" -s q -l quiet -d 'Say errors only'
complete -c rockfish_license -n "__fish_rockfish_license_using_subcommand man" -s h -l help -d 'Print help'
