/** Calendar arithmetic of the real-time clock: whole seconds since 1970-01-01 00:00 in the clock's own time zone. */

export interface CalendarTime {
  year: number;
  month: number;
  day: number;
  hours: number;
  minutes: number;
  seconds: number;
  /** 1 is Sunday. */
  weekday: number;
}

const SECONDS_PER_DAY = 86400;

export function calendarOf(seconds: number): CalendarTime {
  const date = new Date(seconds * 1000);
  return {
    year: date.getUTCFullYear(),
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    hours: date.getUTCHours(),
    minutes: date.getUTCMinutes(),
    seconds: date.getUTCSeconds(),
    weekday: date.getUTCDay() + 1,
  };
}

/** Values beyond their range (a 61st second, day 0) carry over into the next field. */
export function secondsOf(time: Omit<CalendarTime, 'weekday'>): number {
  return Date.UTC(time.year, time.month - 1, time.day, time.hours, time.minutes, time.seconds) / 1000;
}

/** An alarm time; undefined matches every value. */
export interface Alarm {
  hours: number | undefined;
  minutes: number | undefined;
  seconds: number | undefined;
}

/** The first second after `after` that the alarm matches; Infinity if its values do not exist. */
export function nextAlarm(alarm: Alarm, after: number): number {
  let second = after + 1;
  const end = second + SECONDS_PER_DAY;
  while (second < end) {
    const ofDay = ((second % SECONDS_PER_DAY) + SECONDS_PER_DAY) % SECONDS_PER_DAY;
    if (differs(alarm.hours, Math.floor(ofDay / 3600))) second += 3600 - (ofDay % 3600);
    else if (differs(alarm.minutes, Math.floor(ofDay / 60) % 60)) second += 60 - (ofDay % 60);
    else if (differs(alarm.seconds, ofDay % 60)) second++;
    else return second;
  }
  return Infinity;
}

function differs(wanted: number | undefined, value: number): boolean {
  return wanted !== undefined && wanted !== value;
}
