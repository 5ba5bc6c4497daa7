# adopt.pl WORD ...: make this process the one to which orphaned descendants fall, and become WORD ...; ends with 113 where
# it cannot be. Run with every start, so it loads nothing; reap.pl is the other part, and reaper.py both in Python.

open my $self, '<', '/proc/self/stat' or exit 113;
$ENV{RJ_BORN} = (split ' ', (split /\) /, <$self>)[-1])[19];
my ($s, $m, $h, $day, $month, $year) = gmtime(my $now = time);
$ENV{RJ_NOW} = sprintf '%d %04d-%02d-%02dT%02d:%02d:%02dZ', $now, $year + 1900, $month + 1, $day, $h, $m, $s;
# The number of the call depends on what this program was built for, which its own file says.
open my $exe, '<', '/proc/self/exe' or exit 113;
read $exe, my $head, 20;
my ($class, $order) = unpack 'x4CC', $head;
my $machine = unpack $order == 2 ? 'x18n' : 'x18v', $head;
my %number = ('2.62', 157, '2.183', 167, '2.243', 167, '2.258', 167, '1.3', 172, '1.40', 172, '2.22', 172, '2.21', 171);
my $number = $number{"$class.$machine"} or exit 113;
my $is = pack 'i', 0;
exit 113 if syscall($number, 36, 1, 0, 0, 0) || syscall($number, 37, $is, 0, 0, 0) || unpack('i', $is) != 1;
# What a program was born to ignore, as behind nohup, no shell can give back to what it starts.
$SIG{$_} = 'DEFAULT' for grep !/^(?:KILL|STOP|NUM\d+)$/, keys %SIG;
if ($ENV{RJ_LOCALE} eq '') { delete $ENV{LC_ALL} } else { $ENV{LC_ALL} = $ENV{RJ_LOCALE} }
exec { $ARGV[0] } @ARGV;
exit 113;
