# reap.pl PROC ENDS WORD ...: wait until no child is left; from ENDS on (hundredths of a second since the boot), or once
# the file `proof` says that the end of the job is done, kill all that are seen. Then become WORD ... GRADE SURVIVORS
# LEFT. Run in the process that adopt.pl made the reaper, once the job is being ended; reaper.py is the same in Python.

sub now {
    open my $file, '<', "$proc/uptime" or return 0;
    return <$file> =~ /^(\d+)\.(\d\d)/ ? "$1$2" : 0;
}

# pid => [parent, birth, stands still] of all below us
sub below {
    my (%all, %ours);
    opendir my $every, $proc or return;
    for my $pid (grep { /^\d+$/ } readdir $every) {
        open my $file, '<', "$proc/$pid/stat" or next;
        local $/;
        my $text = <$file>;
        my ($pid, $rest) = $text =~ /^(\d+) \(.*\) (.*)/s or next;
        my @field = split ' ', $rest;
        next if $field[0] =~ /[ZX]/ && $field[17] <= 1;
        $all{$pid} = [@field[1, 19], $field[0] =~ /[Tt]/];
    }
    my $grown = 1;
    while ($grown) {
        $grown = 0;
        for my $pid (keys %all) {
            my $parent = $all{$pid}[0];
            next if $ours{$pid} || !($parent == $$ || $ours{$parent});
            $ours{$pid} = $all{$pid};
            $grown = 1;
        }
    }
    return %ours;
}

sub left_none {
    my $pid;
    1 while ($pid = waitpid -1, 1) > 0;
    return $pid < 0;
}

# All are stopped until a scan finds no new one, and killed. A process with a child that we may not signal, such as sudo,
# gets TERM for it at first.
sub end_all {
    my ($rounds) = @_;
    my %seen;
    for (1 .. 10) {
        my %ours = below();
        my @new = grep { !$seen{$_} } keys %ours;
        kill 'STOP', @new;
        %seen = %ours;
        last unless @new;
    }
    my %spared;
    for my $pid (keys %seen) {
        next if $rounds > 5 || kill 0, $pid;
        for (my $above = $seen{$pid}[0]; $seen{$above} && !$spared{$above}; $above = $seen{$above}[0]) { $spared{$above} = 1 }
    }
    for my $pid (keys %seen) {
        if ($spared{$pid}) { kill 'TERM', $pid; kill 'CONT', $pid } else { kill 'KILL', $pid }
    }
}

# Has it come to that time? What a shell counted may have 32 bits.
sub due {
    my $rest = ($_[0] - now()) % 4294967296;
    return $rest == 0 || $rest >= 2147483648;
}

$proc = shift;
my $ends = shift;
my ($rounds, $until, $grade) = (0, 0, '');
until (left_none() && ($grade = 'reaped')) {
    if (due($ends) || -e 'proof') {
        $until ||= now() + 1000;
        last if $rounds > 3 && now() >= $until;
        end_all($rounds++);
    }
    select undef, undef, undef, 0.02;
}
my (@names, @left);
if (!$grade) {
    my %ours = below();
    for my $pid (keys %ours) {
        my $name = '';
        if (open my $file, '<', "$proc/$pid/comm") { chomp($name = <$file>) }
        $name =~ s/[^ -~]/?/g;
        push @names, "$pid($name)";
        push @left, "$pid:$ours{$pid}[1] ";
    }
    @names = ('unknown (a process that cannot be seen)') unless @names;
}
exec { $ARGV[0] } @ARGV, $grade, "@names", join '', @left;
exit 113;
